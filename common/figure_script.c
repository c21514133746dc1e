/* figure_script.c */
#include "figure_parts.h"
void figure_write_script(const Figure *figure, const char *folder, const char *font)
{
    (void)figure, (void)folder, (void)font;
}
