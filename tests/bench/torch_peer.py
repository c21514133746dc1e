#!/usr/bin/python3
"""The workloads of course.c in PyTorch, eager mode, as a student would write them.

    torch_peer.py WORKLOAD [THREADS [SECONDS]]

prints one line in the format of course.c.  Exit status 3: no such workload here.
"""
import math
import resource
import sys
import time

BATCH = 32


def model_steps(torch, model, optimiser, loss_of):
    """A function that does one training step."""
    def step():
        optimiser.zero_grad(set_to_none=True)
        loss = loss_of()
        loss.backward()
        optimiser.step()
        return loss
    return step


def sines(torch, steps):
    phase = torch.rand(BATCH, 1) * 6.28
    wave = torch.sin(0.3 * torch.arange(steps + 1).float() + phase)
    return wave[:, :steps, None].contiguous(), wave[:, steps:].contiguous()


def recurrent_sine(torch, kind):
    nn, hidden = torch.nn, 64
    cell = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[kind](1, hidden, batch_first=True)
    out = nn.Linear(hidden, 1)
    x, y = sines(torch, 20)
    adam = torch.optim.Adam([*cell.parameters(), *out.parameters()])
    return model_steps(torch, cell, adam, lambda: nn.functional.mse_loss(out(cell(x)[0][:, -1]), y))


def recurrent_lm(torch, kind):
    nn, steps, embed, hidden, vocabulary = torch.nn, 50, 64, 128, 200
    table = nn.Embedding(vocabulary, embed)
    cell = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[kind](embed, hidden, batch_first=True)
    out = nn.Linear(hidden, vocabulary)
    x = torch.randint(0, vocabulary, (BATCH, steps))
    y = torch.roll(x, -1, 1).reshape(-1)
    adam = torch.optim.Adam([*table.parameters(), *cell.parameters(), *out.parameters()])
    return model_steps(torch, cell, adam, lambda: nn.functional.cross_entropy(
        out(cell(table(x))[0]).reshape(-1, vocabulary), y))


def encoder(torch):
    nn, steps, d = torch.nn, 20, 32
    inner, out = nn.Linear(1, d), nn.Linear(d, 1)
    layer = nn.TransformerEncoderLayer(d, 4, 128, dropout=0.0, batch_first=True)
    position = torch.arange(steps).float()[:, None]
    frequency = torch.exp(torch.arange(0, d, 2).float() * (-math.log(10000.0) / d))
    table = torch.zeros(steps, d)
    table[:, 0::2], table[:, 1::2] = torch.sin(position * frequency), torch.cos(position * frequency)
    x, y = sines(torch, steps)
    adam = torch.optim.Adam([*inner.parameters(), *layer.parameters(), *out.parameters()])
    return model_steps(torch, layer, adam,
                       lambda: nn.functional.mse_loss(out(layer(inner(x) + table)[:, -1]), y))


def gpt(torch, d, layers, steps, vocabulary, heads=4):
    nn, functional = torch.nn, torch.nn.functional
    fused = hasattr(functional, "scaled_dot_product_attention")
    future = torch.triu(torch.ones(steps, steps, dtype=torch.bool), 1)

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
            self.qkv, self.out = nn.Linear(d, 3 * d), nn.Linear(d, d)
            self.up, self.down = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

        def forward(self, x):
            q, k, v = (part.view(BATCH, steps, heads, d // heads).transpose(1, 2)
                       for part in self.qkv(self.norm1(x)).split(d, 2))
            if fused:
                y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            else:
                scores = q @ k.transpose(-2, -1) / math.sqrt(d // heads)
                y = functional.softmax(scores.masked_fill(future, float("-inf")), -1) @ v
            x = x + self.out(y.transpose(1, 2).reshape(BATCH, steps, d))
            return x + self.down(functional.gelu(self.up(self.norm2(x)), approximate="tanh"))

    blocks, norm = nn.Sequential(*(Block() for _ in range(layers))), nn.LayerNorm(d)
    table, position = nn.Embedding(vocabulary, d), nn.Embedding(steps, d)
    nn.init.normal_(table.weight, 0, 0.02)
    nn.init.normal_(position.weight, 0, 0.02)
    x = torch.randint(0, vocabulary, (BATCH, steps))
    y = torch.roll(x, -1, 1).reshape(-1)
    adam = torch.optim.AdamW([p for part in (blocks, norm, table, position) for p in part.parameters()])
    return model_steps(torch, blocks, adam, lambda: functional.cross_entropy(
        functional.linear(norm(blocks(table(x) + position.weight)), table.weight).view(-1, vocabulary), y))


def seq2seq(torch):
    nn, steps, embed, hidden, vocabulary = torch.nn, 10, 64, 128, 200
    source, target = nn.Embedding(vocabulary, embed), nn.Embedding(vocabulary, embed)
    encode, cell = nn.GRU(embed, hidden, batch_first=True), nn.GRUCell(embed + hidden, hidden)
    keys, query = nn.Linear(hidden, hidden, bias=False), nn.Linear(hidden, hidden, bias=False)
    score, out = nn.Linear(hidden, 1, bias=False), nn.Linear(2 * hidden, vocabulary)
    x = torch.randint(0, vocabulary, (BATCH, steps))
    y = torch.roll(x, -1, 1).reshape(-1)

    def loss():
        encoded, state = encode(source(x))
        state, given, all_keys, outputs = state[0], target(x), keys(encoded), []
        for t in range(steps):
            e = score(torch.tanh(all_keys + query(state)[:, None])).squeeze(2)
            context = torch.bmm(torch.softmax(e, 1)[:, None], encoded)[:, 0]
            state = cell(torch.cat([given[:, t], context], 1), state)
            outputs.append(torch.cat([state, context], 1))
        return nn.functional.cross_entropy(out(torch.stack(outputs, 1)).reshape(-1, vocabulary), y)
    parts = (source, target, encode, cell, keys, query, score, out)
    adam = torch.optim.Adam([p for part in parts for p in part.parameters()])
    return model_steps(torch, encode, adam, loss)


def attention_forward(torch, steps):
    functional = torch.nn.functional
    q, k, v = (torch.randn(1, 4, steps, 64) for _ in range(3))

    def step():
        with torch.no_grad():
            if hasattr(functional, "scaled_dot_product_attention"):
                return functional.scaled_dot_product_attention(q, k, v)
            return torch.softmax(q @ k.transpose(-2, -1) * 0.125, -1) @ v
    return step


def build(torch, name):
    parts = name.split("-")
    if parts[0] in ("rnn", "lstm", "gru"):
        return (recurrent_sine if parts[1] == "sine" else recurrent_lm)(torch, parts[0])
    if name == "encoder-sine":
        return encoder(torch)
    if name == "seq2seq-bahdanau":
        return seq2seq(torch)
    if parts[0] == "gpt":
        size = {part[0]: int(part[1:]) for part in parts[1:]}
        return gpt(torch, size["d"], size["l"], size.get("t", 64), size.get("v", 64))
    if name.startswith("attn-fwd-T"):
        return attention_forward(torch, int(name[10:]))
    return None


def main():
    name, threads = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 2
    import torch
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    step = build(torch, name)
    if not step:
        sys.exit(3)
    first = step()
    for _ in range(3):
        step()
    wall, cpu, end = [], [], time.perf_counter() + seconds
    while len(wall) < 7 or (time.perf_counter() < end and len(wall) < 2000):
        c, w = time.process_time(), time.perf_counter()
        last = step()
        wall.append(1e3 * (time.perf_counter() - w))
        cpu.append(1e3 * (time.process_time() - c))
    wall.sort()
    cpu.sort()
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print("%s torch-%s-%dt wall %.5f min %.5f max %.5f cpu %.5f gflop 0 rss %.0f loss %.4f %.4f" % (
        name, torch.__version__.split("+")[0], threads, wall[len(wall) // 2], wall[0], wall[-1], cpu[len(cpu) // 2],
        rss, first.flatten()[0].item(), last.flatten()[0].item()))


if __name__ == "__main__":
    main()
