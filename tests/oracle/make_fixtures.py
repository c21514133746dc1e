#!/usr/bin/env python3
"""Reference values from PyTorch and NumPy for the tests of the tensor library.

Run with Debian's python3, python3-torch (1.13) and python3-numpy (1.24) from
the root of the repository:

    /usr/bin/python3 tests/oracle/make_fixtures.py

It writes the text files beside itself, one tensor a line:

    NAME [2, 3] v0 v1 v2 v3 v4 v5

All is computed in float64.  Inputs are multiples of 1/256, so that a float
holds them exactly; results are written to 13 significant digits.  The tests
read these files (tests/fixture.h) and need no Python.
"""
import math
import os

import numpy as np
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
HERE = os.path.dirname(os.path.abspath(__file__))


def rand(*shape, scale=1.0):
    """Normal numbers rounded to multiples of 1/256."""
    return torch.round(torch.randn(*shape) * scale * 256) / 256


def variable(*shape, scale=1.0):
    return rand(*shape, scale=scale).requires_grad_()


class File:
    """Collects named tensors and writes them."""

    def __init__(self, name, seed):
        self.path = os.path.join(HERE, name)
        self.lines = ["# written by make_fixtures.py; torch %s, numpy %s" % (torch.__version__, np.__version__)]
        torch.manual_seed(seed)

    def put(self, name, tensor):
        array = tensor.detach().numpy() if isinstance(tensor, torch.Tensor) else np.asarray(tensor)
        shape = "[" + ", ".join(str(d) for d in array.shape) + "]"
        values = " ".join("%.13g" % v for v in array.reshape(-1))
        self.lines.append("%s %s %s" % (name, shape, values))

    def case(self, name, inputs, y, **extra):
        """Inputs x0, x1 ..., result y, its weights g in the loss sum(y g), and the gradients dx0, dx1 ..."""
        g = rand(*y.shape) if y.dim() else torch.tensor(1.0)
        (y * g).sum().backward()
        for i, x in enumerate(inputs):
            self.put("%s.x%d" % (name, i), x)
        for key, value in extra.items():
            self.put("%s.%s" % (name, key), value)
        self.put(name + ".g", g)
        self.put(name + ".y", y)
        for i, x in enumerate(inputs):
            self.put("%s.dx%d" % (name, i), x.grad)

    def close(self):
        with open(self.path, "w") as file:
            file.write("\n".join(self.lines) + "\n")
        print("%s: %d tensors, %d bytes" % (self.path, len(self.lines) - 1, os.path.getsize(self.path)))


# ---- operations ---------------------------------------------------------------

def products(f):
    a, b = variable(3, 4), variable(4, 5)
    f.case("matmul", [a, b], a @ b)
    a, b = variable(2, 3, 4), variable(4, 5)
    f.case("matmul_rows", [a, b], a @ b)
    a, b = variable(2, 400), variable(400, 3)
    f.case("matmul_deep", [a, b], a @ b)
    a, b = variable(2, 3, 4), variable(6, 4)
    f.case("matmul_transposed", [a, b], a @ b.T)
    a, b = variable(2, 3, 4), variable(2, 4, 5)
    f.case("batched_matmul", [a, b], a @ b)
    a, b = variable(2, 2, 3, 4), variable(2, 2, 5, 4)
    f.case("batched_matmul_transposed", [a, b], a @ b.transpose(-1, -2))
    x, w, b = variable(2, 3, 4), variable(4, 5), variable(5)
    f.case("linear", [x, w, b], F.linear(x, w.T, b))


def elementwise(f):
    for name, operation in (("add", torch.add), ("subtract", torch.sub), ("multiply", torch.mul)):
        a, b = variable(2, 3, 4), variable(2, 3, 4)
        f.case(name, [a, b], operation(a, b))
        a, b = variable(2, 3, 4), variable(3, 4)
        f.case(name + "_suffix", [a, b], operation(a, b))
        a, b = variable(2, 3, 4), variable(4)
        f.case(name + "_row", [a, b], operation(a, b))
    x = variable(3, 7)
    f.case("scale", [x], x * -1.5)
    for name, operation in (("tanh", torch.tanh), ("sigmoid", torch.sigmoid), ("relu", F.relu), ("gelu", F.gelu),
                            ("exp", torch.exp)):
        x = variable(5, 7, scale=2)
        f.case(name, [x], operation(x))
    x = (torch.abs(rand(5, 7, scale=2)) + 1 / 64).requires_grad_()
    f.case("log", [x], torch.log(x))


def shapes(f):
    x = variable(2, 3, 4, 2)
    f.case("transpose", [x], x.transpose(1, 3))
    x = variable(2, 3, 4)
    f.case("transpose_first", [x], x.transpose(0, 1))
    x = variable(2, 5, 3)
    f.case("slice", [x], x[:, 1:4])
    a, b, c = variable(2, 1, 3), variable(2, 4, 3), variable(2, 2, 3)
    f.case("concat", [a, b, c], torch.cat([a, b, c], 1))
    x = variable(4, 6)
    f.case("reshape", [x], x.reshape(2, 3, 4))
    x = variable(4, 6)
    f.case("sum", [x], x.sum())
    x = variable(4, 6)
    f.case("mean", [x], x.mean())
    table, ids = variable(6, 4), torch.tensor([[0, 5, 2], [5, 5, 1]])
    f.case("embedding", [table], F.embedding(ids, table), ids=ids)


def normalisations_and_losses(f):
    x = variable(2, 3, 5, scale=3)
    f.case("softmax", [x], F.softmax(x, -1))
    x, mask = variable(2, 4, 4, scale=2), torch.tril(torch.ones(4, 4))
    f.case("softmax_causal", [x], F.softmax(x.masked_fill(mask == 0, -math.inf), -1), mask=mask)
    x, mask = variable(2, 3, 4, scale=2), torch.tensor([1.0, 0, 1, 1])
    f.case("softmax_padding", [x], F.softmax(x.masked_fill(mask == 0, -math.inf), -1), mask=mask)
    x, gain, bias = variable(2, 3, 8, scale=2), variable(8), variable(8)
    f.case("layer_norm", [x, gain, bias], F.layer_norm(x, (8,), gain, bias, 1e-5))
    x, targets = variable(2, 3, 5, scale=2), torch.tensor([0, 4, -1, 2, -1, 2])
    f.case("cross_entropy", [x], F.cross_entropy(x.reshape(6, 5), targets, ignore_index=-1), targets=targets)
    x, targets = variable(3, 4, scale=30), torch.tensor([1, 3, 0])
    f.case("cross_entropy_sharp", [x], F.cross_entropy(x, targets), targets=targets)
    a, b = variable(4, 3), variable(4, 3)
    f.case("mean_squared_error", [a, b], F.mse_loss(a, b))


# ---- optimisers ---------------------------------------------------------------

STEPS = 6


def optimiser(f, name, make):
    """The parameters after each of STEPS updates with given gradients."""
    weights = [rand(3, 4).requires_grad_(), rand(5).requires_grad_()]
    optim = make(weights)
    for i, w in enumerate(weights):
        f.put("%s.w%d" % (name, i), w)
    for step in range(STEPS):
        for i, w in enumerate(weights):
            w.grad = rand(*w.shape) * (0 if step == 3 else 1)
            f.put("%s.step%d.g%d" % (name, step, i), w.grad)
        optim.step()
        for i, w in enumerate(weights):
            f.put("%s.step%d.w%d" % (name, step, i), w)


def optimisers(f):
    optimiser(f, "sgd", lambda w: torch.optim.SGD(w, lr=0.1))
    optimiser(f, "momentum", lambda w: torch.optim.SGD(w, lr=0.05, momentum=0.9))
    optimiser(f, "adam", lambda w: torch.optim.Adam(w, lr=0.01))
    optimiser(f, "adam_betas", lambda w: torch.optim.Adam(w, lr=0.02, betas=(0.8, 0.95), eps=1e-3))
    optimiser(f, "adamw", lambda w: torch.optim.AdamW(w, lr=0.01, weight_decay=0.1))


def clipping(f):
    for name, most in (("clip", 2.0), ("clip_unneeded", 100.0)):
        weights = [torch.zeros(3, 4, requires_grad=True), torch.zeros(5, requires_grad=True)]
        for i, w in enumerate(weights):
            w.grad = rand(*w.shape, scale=4)
            f.put("%s.g%d" % (name, i), w.grad)
        norm = torch.nn.utils.clip_grad_norm_(weights, most)
        f.put(name + ".most", torch.tensor(most))
        f.put(name + ".norm", norm)
        for i, w in enumerate(weights):
            f.put("%s.clipped%d" % (name, i), w.grad)


def schedules(f):
    w = torch.zeros(1, requires_grad=True)
    optim = torch.optim.SGD([w], lr=1.0)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optim, T_max=20, eta_min=0.1)
    rates = []
    for _ in range(21):
        rates.append(cosine.get_last_lr()[0])
        optim.step()
        cosine.step()
    f.put("cosine", np.array(rates))
    # Vaswani 2017, eq. 3, counted from step 1, divided by its peak (at step = warm-up).
    warmup, d = 8, 512
    steps = np.arange(1, 41, dtype=np.float64)
    rate = d ** -0.5 * np.minimum(steps ** -0.5, steps * warmup ** -1.5)
    f.put("inverse_root", rate / rate.max())


# ---- recurrent layers ------------------------------------------------------------

def put_recurrent(f, prefix, module, suffix, gru):
    """Weights in the course's layout, [in, out]: x W + b.  PyTorch's two biases of RNN and LSTM
    are one there; the GRU keeps the recurrent one apart."""
    p = {n: getattr(module, "%s_%s" % (n, suffix)) for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    bias = p["bias_ih"] if gru else p["bias_ih"] + p["bias_hh"]
    f.put(prefix + ".input_weight", p["weight_ih"].T)
    f.put(prefix + ".weight", p["weight_hh"].T)
    f.put(prefix + ".bias", bias)
    f.put(prefix + ".d_input_weight", p["weight_ih"].grad.T)
    f.put(prefix + ".d_weight", p["weight_hh"].grad.T)
    f.put(prefix + ".d_bias", p["bias_ih"].grad)
    if gru:
        f.put(prefix + ".recurrent_bias", p["bias_hh"])
        f.put(prefix + ".d_recurrent_bias", p["bias_hh"].grad)


def round_parameters(module):
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(torch.round(torch.randn(p.shape) * 0.5 * 256) / 256)


def recurrent(f, name, kind, layers=1, bidirectional=False, lengths=None):
    steps, batch, inputs, hidden = 5, 2, 3, 4
    module = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[kind](
        inputs, hidden, num_layers=layers, bidirectional=bidirectional)
    round_parameters(module)
    x = variable(steps, batch, inputs)
    directions = 2 if bidirectional else 1
    start = variable(layers * directions, batch, hidden)
    state = start
    if kind == "lstm":
        start_cell = variable(layers * directions, batch, hidden)
        state = (start, start_cell)
    if lengths:
        packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
        y, last = module(packed, state)
        y, _ = torch.nn.utils.rnn.pad_packed_sequence(y, total_length=steps)
        f.put(name + ".lengths", np.array(lengths))
    else:
        y, last = module(x, state)
    # Beyond a row's end PyTorch writes zeros and the course carries the state: no weight there.
    g = rand(*y.shape)
    for row, length in enumerate(lengths or []):
        g[length:, row] = 0
    (y * g).sum().backward()
    f.put(name + ".x", x)
    f.put(name + ".start", start)
    f.put(name + ".g", g)
    f.put(name + ".y", y)
    f.put(name + ".last", last[0] if kind == "lstm" else last)
    f.put(name + ".dx", x.grad)
    f.put(name + ".d_start", start.grad)
    if kind == "lstm":
        f.put(name + ".start_cell", start_cell)
        f.put(name + ".last_cell", last[1])
        f.put(name + ".d_start_cell", start_cell.grad)
    for layer in range(layers):
        for d in range(directions):
            put_recurrent(f, "%s.l%d%s" % (name, layer, "r" if d else ""), module,
                          "l%d%s" % (layer, "_reverse" if d else ""), kind == "gru")


# ---- attention and Transformer blocks ----------------------------------------------

def attention(f):
    """softmax(q k^T / sqrt d) v for two heads, without and with a causal mask."""
    for name in ("attention", "attention_causal"):
        q, k, v = variable(2, 2, 4, 3), variable(2, 2, 4, 3), variable(2, 2, 4, 3)
        scores = q @ k.transpose(-1, -2) / math.sqrt(3)
        if name.endswith("causal"):
            scores = scores.masked_fill(torch.tril(torch.ones(4, 4)) == 0, -math.inf)
        f.case(name, [q, k, v], F.softmax(scores, -1) @ v)


def put_linear(f, name, weight, bias, grad=True):
    f.put(name + ".weight", weight.T)
    f.put(name + ".bias", bias)
    if grad:
        f.put(name + ".d_weight", weight.grad.T)
        f.put(name + ".d_bias", bias.grad)


def put_multihead(f, name, module):
    d = module.embed_dim
    for i, part in enumerate("qkv"):
        rows = slice(i * d, (i + 1) * d)
        f.put("%s.%s.weight" % (name, part), module.in_proj_weight[rows].T)
        f.put("%s.%s.bias" % (name, part), module.in_proj_bias[rows])
        f.put("%s.%s.d_weight" % (name, part), module.in_proj_weight.grad[rows].T)
        f.put("%s.%s.d_bias" % (name, part), module.in_proj_bias.grad[rows])
    put_linear(f, name + ".out", module.out_proj.weight, module.out_proj.bias)


def multihead(f):
    """Self-attention with a causal mask and cross-attention with padded keys; x [B, T, d]."""
    d, heads = 6, 2
    module = torch.nn.MultiheadAttention(d, heads, batch_first=True)
    round_parameters(module)
    x = variable(2, 4, d)
    forbidden = torch.tril(torch.ones(4, 4)) == 0
    y, weights = module(x, x, x, attn_mask=forbidden, average_attn_weights=False)
    f.case("multihead_causal", [x], y, weights=weights)
    put_multihead(f, "multihead_causal", module)

    module = torch.nn.MultiheadAttention(d, heads, batch_first=True)
    round_parameters(module)
    x, memory = variable(2, 3, d), variable(2, 5, d)
    allowed = torch.tensor([[1.0, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    y, weights = module(x, memory, memory, key_padding_mask=allowed == 0, average_attn_weights=False)
    f.case("multihead_cross", [x, memory], y, weights=weights, allowed=allowed)
    put_multihead(f, "multihead_cross", module)


def encoder_block(f):
    d, heads, feedforward = 6, 2, 8
    for name, norm_first in (("encoder_post_norm", False), ("encoder_pre_norm", True)):
        block = torch.nn.TransformerEncoderLayer(d, heads, feedforward, dropout=0.0, activation=F.gelu,
                                                 batch_first=True, norm_first=norm_first)
        round_parameters(block)
        x = variable(2, 4, d)
        f.case(name, [x], block(x))
        put_multihead(f, name + ".attention", block.self_attn)
        put_linear(f, name + ".up", block.linear1.weight, block.linear1.bias)
        put_linear(f, name + ".down", block.linear2.weight, block.linear2.bias)
        for i, norm in enumerate((block.norm1, block.norm2), 1):
            f.put("%s.norm%d.gain" % (name, i), norm.weight)
            f.put("%s.norm%d.bias" % (name, i), norm.bias)
            f.put("%s.norm%d.d_gain" % (name, i), norm.weight.grad)
            f.put("%s.norm%d.d_bias" % (name, i), norm.bias.grad)


def positions(f):
    """Vaswani 2017, section 3.5, by its formula."""
    pos, i = np.arange(12.0)[:, None], np.arange(3)[None, :]
    angle = pos / 10000 ** (2 * i / 6)
    table = np.empty((12, 6))
    table[:, 0::2], table[:, 1::2] = np.sin(angle), np.cos(angle)
    f.put("positions", table)


# ---- lab 09: one trained step of each network -----------------------------------------

BATCH, TIMES, WIDTH, INNER = 3, 8, 8, 6


def trained_step(f, name, parameters, predict, views):
    """Prediction, loss and gradients on one batch, and all parameters after one step of Adam.  VIEWS shows
    the parameters as the course has them, in the order it makes them.  Adam's epsilon is large here:
    the gradient of a key's bias is 0 (softmax does not see it), and 0 / 0 is a matter of rounding."""
    x, y = rand(BATCH, TIMES, 1), rand(BATCH, 1)
    adam = torch.optim.Adam(parameters, lr=0.01, eps=1e-4)
    prediction = predict(x)
    loss = F.mse_loss(prediction, y)
    loss.backward()
    f.put(name + ".x", x)
    f.put(name + ".y", y)
    f.put(name + ".prediction", prediction)
    f.put(name + ".loss", loss)
    for i, view in enumerate(views(lambda p: p)):
        f.put("%s.p%d" % (name, i), view)
    for i, view in enumerate(views(lambda p: p.grad)):
        f.put("%s.g%d" % (name, i), view)
    adam.step()
    for i, view in enumerate(views(lambda p: p)):
        f.put("%s.after%d" % (name, i), view)


def sequence_transformer(f):
    first, last = torch.nn.Linear(1, WIDTH), torch.nn.Linear(WIDTH, 1)
    block = torch.nn.TransformerEncoderLayer(WIDTH, 2, INNER, dropout=0.0, activation="relu", batch_first=True)
    for module in (first, block, last):
        round_parameters(module)
    pos, i = np.arange(float(TIMES))[:, None], np.arange(WIDTH // 2)[None, :]
    table = np.empty((TIMES, WIDTH))
    table[:, 0::2], table[:, 1::2] = np.sin(pos / 10000 ** (2 * i / WIDTH)), np.cos(pos / 10000 ** (2 * i / WIDTH))
    places = torch.tensor(table)

    def views(of):
        attention, (w, b) = block.self_attn, (block.self_attn.in_proj_weight, block.self_attn.in_proj_bias)
        result = [of(first.weight).T, of(first.bias)]
        for part in range(3):
            rows = slice(part * WIDTH, (part + 1) * WIDTH)
            result += [of(w)[rows].T, of(b)[rows]]
        result += [of(attention.out_proj.weight).T, of(attention.out_proj.bias), of(block.norm1.weight),
                   of(block.norm1.bias), of(block.linear1.weight).T, of(block.linear1.bias), of(block.linear2.weight).T,
                   of(block.linear2.bias), of(block.norm2.weight), of(block.norm2.bias), of(last.weight).T, of(last.bias)]
        return result

    parameters = [p for module in (first, block, last) for p in module.parameters()]
    trained_step(f, "transformer", parameters, lambda x: last(block(first(x) + places)[:, -1]), views)


def sequence_recurrent(f, kind):
    module = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[kind](1, WIDTH, batch_first=True)
    last = torch.nn.Linear(WIDTH, 1)
    round_parameters(module)
    round_parameters(last)
    if kind != "gru":  # one bias in the course
        module.bias_hh_l0.requires_grad_(False)
        module.bias_hh_l0.data.zero_()

    def views(of):
        result = [of(module.weight_ih_l0).T, of(module.weight_hh_l0).T, of(module.bias_ih_l0)]
        if kind == "gru":
            result.append(of(module.bias_hh_l0))
        return result + [of(last.weight).T, of(last.bias)]

    parameters = [p for p in list(module.parameters()) + list(last.parameters()) if p.requires_grad]
    trained_step(f, kind, parameters, lambda x: last(module(x)[0][:, -1]), views)


def sequence_convolution(f):
    convolutions = [torch.nn.Conv1d(1, WIDTH, 3), torch.nn.Conv1d(WIDTH, WIDTH, 3)]
    full, last = torch.nn.Linear(TIMES // 4 * WIDTH, INNER), torch.nn.Linear(INNER, 1)
    for module in convolutions + [full, last]:
        round_parameters(module)

    def predict(x):
        h = x.transpose(1, 2)
        for convolution in convolutions:
            h = F.max_pool1d(F.relu(convolution(F.pad(h, (2, 0)))), 2)
        return last(F.relu(full(h.transpose(1, 2).reshape(BATCH, -1))))

    def views(of):
        result = []
        for c in convolutions:  # [out, in, kernel] -> [kernel x in, out]
            result += [of(c.weight).permute(2, 1, 0).reshape(-1, WIDTH), of(c.bias)]
        return result + [of(full.weight).T, of(full.bias), of(last.weight).T, of(last.bias)]

    parameters = [p for module in convolutions + [full, last] for p in module.parameters()]
    trained_step(f, "convolution", parameters, predict, views)


def main():
    f = File("ops.txt", 1)
    products(f)
    elementwise(f)
    shapes(f)
    normalisations_and_losses(f)
    f.close()
    f = File("optim.txt", 2)
    optimisers(f)
    clipping(f)
    schedules(f)
    f.close()
    f = File("recurrent.txt", 3)
    for kind in ("rnn", "lstm", "gru"):
        recurrent(f, kind, kind)
        recurrent(f, kind + "_lengths", kind, lengths=[5, 3])
        recurrent(f, kind + "_bidirectional", kind, bidirectional=True, lengths=[4, 5])
        recurrent(f, kind + "_stacked", kind, layers=2)
    f.close()
    f = File("attention.txt", 4)
    attention(f)
    multihead(f)
    encoder_block(f)
    positions(f)
    f.close()
    f = File("sequence.txt", 5)
    sequence_transformer(f)
    for kind in ("rnn", "lstm", "gru"):
        sequence_recurrent(f, kind)
    sequence_convolution(f)
    f.close()


main()
