# short.sh: steps NAME says which steps of a lab are short: those that do not train
# for seconds.
steps() {
    case $1 in
        01*) echo 1-6 ;; 03*) echo 1-2,4 ;; 06*) echo 1,3-4 ;; 07*) echo 1-3,5 ;; 10*) echo 1,7 ;; *) echo 1-2 ;;
    esac
}
