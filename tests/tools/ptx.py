"""What Triton compiles, run without a GPU: PTX, one program at a time, a warp's lanes in an array.

The instructions are those that Triton makes of the kernels here; another one is an error. So is a
load of what was never stored, and a store where nothing may be written. ``races`` tells where two
threads touch one number, one of them to write it, with no barrier between.
"""

import operator
import re
from collections import defaultdict

import numpy as np

LANES = 32
BITS = {8: np.uint8, 16: np.uint16, 32: np.uint32, 64: np.uint64}
FLOATS = {"f16": np.float16, "f32": np.float32, "f64": np.float64}
SIGNED = {16: np.int16, 32: np.int32, 64: np.int64}
COMPARED = {
    "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge, "eq": operator.eq,
    "ne": operator.ne, "neu": operator.ne,
}  # fmt: skip


def divided(a, b):
    return a / b if a.dtype.kind == "f" else a // b


# Whole numbers are divided where none is negative.
COMPUTED = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "and": operator.and_,
    "or": operator.or_, "xor": operator.xor, "min": np.minimum, "max": np.maximum,
    "div": divided, "rem": operator.mod,
}  # fmt: skip


def width_of(kind):
    return int(re.search(r"\d+$", kind)[0])


def numbers(register, kind):
    """Return a register's bits as numbers."""
    width = width_of(kind)
    narrow = register.astype(BITS[width])
    if kind == "bf16":
        return (narrow.astype(np.uint32) << 16).view(np.float32)
    if kind[0] == "f":
        return narrow.view(FLOATS[kind])
    return narrow.view(SIGNED[width]) if kind[0] == "s" else narrow


def bits(array, width):
    """Return numbers as what a register holds."""
    return array.view(BITS[width]).astype(np.uint64)


def parsed(text):
    """Return a kernel's parameters, and its instructions: a label, or guard, name, operands."""
    head, body = text[text.index(".entry") :].split("\n{\n", 1)
    parameters = re.findall(r"\.param \.\w+ (?:\.ptr \.global \.align \d+ )?(\w+)", head)
    body = re.sub(r"//[^\n]*", "", body[: body.index("\n}\n") + 1])
    body = re.sub(r"^\s*\.(loc|reg|file|pragma)[^\n]*\n", "\n", body, flags=re.MULTILINE)
    body = re.sub(r"^(\s*\$\w+:)", r"\1;", body, flags=re.MULTILINE)
    code = []
    for part in body.split(";"):
        line = " ".join(part.split())
        if line.endswith(":"):
            code.append(line[:-1])
        elif line not in {"", "{", "}"}:
            found = re.fullmatch(r"(?:@(!?%p\d+) )?([\w.:]+) ?(.*)", line)
            pieces = re.findall(r"\{[^}]*\}|\[[^\]]*\]|[^,\s]+", found[3])
            code.append((found[1], found[2].split("."), pieces))
    return parameters, code


class Memory:
    """Numbers of known sizes at addresses, however far apart."""

    def __init__(self):
        self.held, self.size, self.writable = {}, {}, set()

    def put(self, addresses, array):
        size = array.dtype.itemsize
        for place, value in zip(
            addresses, array.view(BITS[8 * size]).ravel().tolist(), strict=True
        ):
            self.held[place], self.size[place] = value, size

    def put_row(self, address, array):
        size = array.dtype.itemsize
        self.put(range(address, address + size * array.size, size), array)

    def allow(self, addresses, size):
        """Let there be numbers of a size, to be written."""
        self.size |= dict.fromkeys(addresses, size)
        self.writable |= {*addresses}


class Program:
    """One program, whose warps take turns at barriers, in a given order."""

    def __init__(self, kernel, memory, arguments, index, order):
        parameters, self.code = kernel
        self.arguments = dict(zip(parameters, arguments, strict=False))
        self.labels = {each: i for i, each in enumerate(self.code) if isinstance(each, str)}
        self.memory, self.index, self.order = memory, index, order
        self.shared = {}
        self.touched = defaultdict(list)
        self.races = set()

    def run(self):
        """Return where threads race."""
        turns = [Warp(self, number).run() for number in self.order]
        while any([next(turn, "end") == "barrier" for turn in turns]):
            self.touched.clear()
        return self.races

    def touch(self, place, thread, new):
        """Note that a thread reads, or writes a new value, where another may have been."""
        (warp, lane, turn), kind = thread, place[0]
        for (other_warp, other_lane, other_turn), wrote in self.touched[place]:
            # Threads that hold the same element write the same.
            if new == wrote or (warp, lane) == (other_warp, other_lane):
                continue
            if warp != other_warp:
                self.races.add((kind, "warps"))
            elif turn == other_turn:
                self.races.add((kind, "lanes"))
        self.touched[place].append((thread, new))


class Warp:
    """The lanes of a warp, and their registers."""

    def __init__(self, program, number):
        self.program, self.number = program, number
        self.lanes = np.arange(LANES, dtype=np.uint64)
        self.turn = 0
        full = np.full(LANES, program.index, np.uint64)
        first = self.lanes + np.uint64(LANES * number)
        self.registers = {"%tid.x": first, "%ctaid.x": full, "global_smem": 0 * full}

    def run(self):
        """Yield at every barrier."""
        place, code = 0, self.program.code
        while place < len(code):
            instruction = code[place]
            place += 1
            if isinstance(instruction, str):
                continue
            guard, (name, *marks), operands = instruction
            mask = np.ones(LANES, bool)
            if guard:
                mask = self.registers[guard.lstrip("!")] ^ (guard[0] == "!")
            if name == "bra":
                assert mask.all() or not mask.any(), "lanes part"
                place = self.program.labels[operands[0]] if mask.all() else place
            elif name == "ret":
                return
            elif name == "bar":
                self.turn += 1
                if marks[0] != "warp":
                    yield "barrier"
            elif name in {"ld", "st"} and marks[0] != "param":
                self.move(name, marks, operands, mask)
            else:
                with np.errstate(all="ignore"):
                    made = self.made(name, marks, operands)
                for register, new in made:
                    old = self.registers.get(register, np.zeros_like(new))
                    self.registers[register] = np.where(mask, new, old)

    def value(self, operand):
        if operand in self.registers:
            return self.registers[operand]
        number = int(operand[2:], 16) if operand[:2] in {"0d", "0f"} else int(operand, 0)
        return np.full(LANES, number & (2**64 - 1), np.uint64)

    def made(self, name, marks, operands):
        """Return the registers that an instruction fills, and with what."""
        kind = marks[-1]
        target, *given = operands
        if name == "ld":
            return [(target, self.value(str(self.program.arguments[given[0].strip("[]")])))]
        if name == "mov":
            return self.copied(kind, target, given[0])
        if name == "shfl":
            return self.shuffled(marks[1], target, *map(self.value, given[:3]))
        if name == "selp":
            yes, no, which = map(self.value, given)
            return [(target, np.where(which, yes, no))]
        if kind == "pred":
            return [(target, COMPUTED[name](*map(self.value, given)))]
        if name == "cvt":
            return [(target, converted(self.value(given[0]), *marks[-2:]))]
        width = width_of(kind)
        a, *others = (numbers(self.value(each), kind) for each in given)
        if name == "setp":
            return [(target, COMPARED[marks[0]](a, others[0]))]
        if "wide" in marks:
            long = np.int64 if kind[0] == "s" else np.uint64
            made = (a.astype(long) * others[0].astype(long)).view(np.uint64)
            return [(target, made + self.value(given[2]) if name == "mad" else made)]
        if name in {"shl", "shr"}:
            by = numbers(self.value(given[1]), "u32")
            assert (by < width).all()
            made = a << by.astype(a.dtype) if name == "shl" else a >> by.astype(a.dtype)
        elif name == "bfe":
            made = a >> others[0] & (np.uint32(1) << others[1]) - np.uint32(1)
        elif name == "neg":
            made = -a
        elif name in {"fma", "mad"}:
            # 64 bits of a product where a GPU keeps all: near enough to rounding it but once.
            wide = np.longdouble if kind[0] == "f" else a.dtype
            made = a.astype(wide) * others[0].astype(wide) + others[1]
        else:
            made = COMPUTED[name](a, others[0])
        return [(target, bits(made.astype(a.dtype), width))]

    def copied(self, kind, target, source):
        if kind == "pred":
            return [(target, self.value(source) != 0)]
        width = width_of(kind)
        into, of = (re.findall(r"[^\s,{}]+", each) for each in (target, source))
        part = np.uint64(width // max(len(into), len(of)))
        low = np.uint64(2 ** int(part) - 1)
        if len(of) > 1:
            pieces = [(self.value(each) & low) << part * np.uint64(i) for i, each in enumerate(of)]
            return [(into[0], np.bitwise_or.reduce(pieces))]
        whole = self.value(of[0])
        return [(each, whole >> part * np.uint64(i) & low) for i, each in enumerate(into)]

    def shuffled(self, how, target, a, by, clamp):
        register, *whether = target.split("|")
        lane, by, clamp = (each.astype(np.int64) for each in (self.lanes, by, clamp))
        other = {"up": lane - by, "down": lane + by, "bfly": lane ^ by, "idx": by}[how]
        there = other >= clamp if how == "up" else other <= clamp & 31
        made = [(register, a[np.where(there, other, lane)])]
        return made + [(each, there) for each in whether]

    def move(self, name, marks, operands, mask):
        """Load or store, in shared memory byte by byte."""
        program, size = self.program, width_of(marks[-1]) // 8
        space = marks[0].split("::")[0]
        where, what = operands if name == "st" else operands[::-1]
        base, _, more = where.strip("[]").partition("+")
        places = self.value(base.strip()) + np.uint64(int(more.strip() or "0"))
        for i, register in enumerate(re.findall(r"%\w+", what)):
            made = self.registers.get(register, np.zeros(LANES, np.uint64)).copy()
            for lane in np.flatnonzero(mask).tolist():
                place, thread = int(places[lane]) + i * size, (self.number, lane, self.turn)
                new = int(made[lane]) & (2 ** (8 * size) - 1) if name == "st" else None
                if space == "global":
                    assert program.memory.size[place] == size
                    program.touch((space, place), thread, new)
                    if name == "st":
                        assert place in program.memory.writable
                        program.memory.held[place] = new
                    else:
                        made[lane] = program.memory.held[place]
                    continue
                for byte in range(size):
                    part = None if new is None else new >> 8 * byte & 255
                    program.touch((space, place + byte), thread, part)
                    if part is not None:
                        program.shared[place + byte] = part
                if name == "ld":
                    made[lane] = sum(program.shared[place + b] << 8 * b for b in range(size))
            if name == "ld":
                self.registers[register] = made


def converted(register, to, of):
    """Return a register's numbers as those of another type, rounded to the nearest."""
    a = numbers(register, of)
    if to == "bf16":
        low = a.astype(np.float32).view(np.uint32).astype(np.uint64)
        odd = low >> np.uint64(16) & np.uint64(1)
        return low + np.uint64(0x7FFF) + odd >> np.uint64(16)
    if to[0] == "f":
        return bits(a.astype(FLOATS[to]), width_of(to))
    assert of[0] != "f"
    wide = a.astype(np.int64 if of[0] == "s" else np.uint64).view(np.uint64)
    return wide & np.uint64(2 ** width_of(to) - 1)
