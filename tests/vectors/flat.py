"""FlatBuffers driven by the text of a schema: decoding with every bound checked, and encoding.

Covers what schemas/*.fbs use (scalars, enums, structs, strings, tables, vectors of those, size-prefixed buffers) and
nothing else. Written from the FlatBuffers wire format, so that the independent reader shares no code with the library.
A table decodes to a dict with all fields of the schema; an absent string is "", an absent vector [], an absent table None. The key
"present" holds the names of the fields that are there; "copied" of the root is the size of all text and lists, each use counted.
"""
import re
import struct

SCALARS = {"bool": "B", "ubyte": "B", "byte": "b", "ushort": "H", "short": "h", "uint": "I", "int": "i", "ulong": "Q",
           "long": "q", "float": "f", "double": "d"}


class Malformed(Exception):
    """Not a buffer of the schema."""


class TooMany(Exception):
    """More tables, or deeper ones, than the caller allows."""


class Field:
    def __init__(self, name, type_, default):
        self.name, self.type, self.default = name, type_, default


class Schema:
    """The tables, structs and enums of one .fbs text."""

    def __init__(self, text):
        text = re.sub(r"//[^\n]*", "", text)
        self.enums, self.structs, self.tables = {}, {}, {}
        for name, base, body in re.findall(r"enum\s+(\w+)\s*:\s*(\w+)\s*\{([^}]*)\}", text):
            symbols, following = {}, 0
            for item in filter(None, (part.strip() for part in body.split(","))):
                symbol, _, value = (part.strip() for part in item.partition("="))
                following = int(value, 0) if value else following
                symbols[symbol] = following
                following += 1
            self.enums[name] = (base, symbols)
        for kind, name, body in re.findall(r"(table|struct)\s+(\w+)\s*\{([^}]*)\}", text):
            fields = []
            for field in filter(None, (part.strip() for part in body.split(";"))):
                match = re.fullmatch(r"(\w+)\s*:\s*(\[?\w+\]?)\s*(?:=\s*([\w.+-]+))?", field)
                if not match:
                    raise ValueError(f"schema: cannot read '{field}'")
                fields.append(Field(*match.groups()))
            (self.tables if kind == "table" else self.structs)[name] = fields
        self.root = re.search(r"root_type\s+(\w+)", text).group(1)
        identifier = re.search(r'file_identifier\s+"(....)"', text)
        self.identifier = identifier.group(1).encode() if identifier else b""
        for fields in [*self.tables.values(), *self.structs.values()]:
            for field in fields:
                field.default = self._default(field)

    def _default(self, field):
        if field.type.startswith("[") or field.type == "string" or field.type in self.tables:
            return None
        if field.default is None:
            return False if field.type == "bool" else 0
        if field.type in self.enums and field.default in self.enums[field.type][1]:
            return self.enums[field.type][1][field.default]
        return float(field.default) if field.type in ("float", "double") else int(field.default, 0)

    def scalar(self, type_):
        """The struct code of a scalar or enum type; None for others."""
        return SCALARS.get(self.enums[type_][0] if type_ in self.enums else type_)

    def size_align(self, type_):
        """Size and alignment of a value as it lies in a table or vector."""
        code = self.scalar(type_)
        if code:
            return struct.calcsize(code), struct.calcsize(code)
        if type_ in self.structs:
            sizes = [self.size_align(field.type) for field in self.structs[type_]]
            align = max(a for _, a in sizes)
            position = 0
            for size, a in sizes:
                position = -(-position // a) * a + size
            return -(-position // align) * align, align
        return 4, 4


class _Decoder:
    def __init__(self, schema, data, max_depth, max_tables):
        self.schema, self.data, self.max_depth, self.tables_left = schema, data, max_depth, max_tables
        self.copied = 0  # bytes of strings and lists of scalars, each use counted

    def get(self, code, at):
        size = struct.calcsize(code)
        if at < 0 or at + size > len(self.data):
            raise Malformed(f"{size} bytes at {at} are outside the buffer")
        if at % size:
            raise Malformed(f"value at {at} is not aligned")
        return struct.unpack_from("<" + code, self.data, at)[0]

    def offset(self, at):
        distance = self.get("I", at)
        if distance == 0 or distance > 0x7FFFFFFF:
            raise Malformed(f"offset {distance} at {at}")
        return at + distance

    def inline(self, type_, at):
        code = self.schema.scalar(type_)
        if code:
            value = self.get(code, at)
            return value != 0 if type_ == "bool" else value
        result, position = {}, at
        for field in self.schema.structs[type_]:
            size, align = self.schema.size_align(field.type)
            position = -(-position // align) * align
            result[field.name] = self.inline(field.type, position)
            position += size
        return result

    def vector_head(self, at, size, align):
        count = self.get("I", at)
        if count * size > len(self.data) - at - 4:
            raise Malformed(f"vector of {count} at {at} is outside the buffer")
        if count and (at + 4) % align:
            raise Malformed(f"elements at {at + 4} are not aligned")
        return count, at + 4

    def string(self, at):
        count, start = self.vector_head(at, 1, 1)
        if start + count >= len(self.data) or self.data[start + count] != 0:
            raise Malformed(f"string at {at} has no terminator")
        self.copied += count
        try:
            return bytes(self.data[start:start + count]).decode("utf-8")
        except UnicodeDecodeError:
            raise Malformed(f"string at {at} is not UTF-8") from None

    def value(self, type_, at, depth):
        if type_.startswith("["):
            return self.vector(type_[1:-1], self.offset(at), depth)
        if type_ == "string":
            return self.string(self.offset(at))
        if type_ in self.schema.tables:
            return self.table(type_, self.offset(at), depth + 1)
        return self.inline(type_, at)

    def vector(self, element, at, depth):
        size, align = self.schema.size_align(element)
        count, start = self.vector_head(at, size, align)
        code = self.schema.scalar(element)
        if code and element != "bool":
            self.copied += count * size
            return list(struct.unpack_from(f"<{count}{code}", self.data, start))
        return [self.value(element, start + i * size, depth) for i in range(count)]

    def table(self, name, at, depth=1):
        self.tables_left -= 1
        if depth > self.max_depth or self.tables_left < 0:
            raise TooMany(f"table {name} at {at}")
        vtable = at - self.get("i", at)
        size = self.get("H", vtable)
        if size < 4 or size % 2 or vtable + size > len(self.data):
            raise Malformed(f"vtable at {vtable}")
        result = {"present": set()}
        for index, field in enumerate(self.schema.tables[name]):
            slot = vtable + 4 + 2 * index
            place = self.get("H", slot) if slot + 2 <= vtable + size else 0
            if place:
                result["present"].add(field.name)
                result[field.name] = self.value(field.type, at + place, depth)
            else:
                result[field.name] = [] if field.type[0] == "[" else "" if field.type == "string" else field.default
        return result


def decode(schema, data, max_depth=32, max_tables=200_000, prefixed=True):
    """The root table of a buffer, with a size prefix or without; alignment counts from the first byte."""
    decoder = _Decoder(schema, data, max_depth, max_tables)
    start = 4 if prefixed else 0
    if len(data) < start + 8 or (prefixed and decoder.get("I", 0) != len(data) - 4):
        raise Malformed("size prefix")
    if schema.identifier and bytes(data[start + 4:start + 8]) != schema.identifier:
        raise Malformed("file identifier")
    root = decoder.table(schema.root, decoder.offset(start))
    root["copied"] = decoder.copied
    return root


class Repeat(list):
    """For encoding: a vector whose `count` elements all refer to one string or table."""

    def __init__(self, item, count):
        super().__init__([item])
        self.count = count


class _Encoder:
    """Writes parents before children, so that every offset points forward; a vtable lies before its table."""

    def __init__(self, schema, misaligned):
        self.schema, self.out, self.misaligned = schema, bytearray(), misaligned

    def align(self, to, ahead=0):
        while (len(self.out) + ahead) % to:
            self.out.append(0)

    def point(self, at):
        struct.pack_into("<I", self.out, at, len(self.out) - at)

    def inline(self, type_, value):
        code = self.schema.scalar(type_)
        if code:
            return struct.pack("<" + code, value)
        result = b""
        for field in self.schema.structs[type_]:
            size, align = self.schema.size_align(field.type)
            result += b"\0" * (-len(result) % align) + self.inline(field.type, value[field.name])
        return result + b"\0" * (-len(result) % self.schema.size_align(type_)[1])

    def child(self, type_, value, at):
        """Appends what the offset at `at` is to refer to."""
        if type_ in self.schema.tables:
            self.table(type_, value, at)
        elif type_ == "string":
            text = value if isinstance(value, bytes) else value.encode()
            self.align(4)
            self.point(at)
            self.out += struct.pack("<I", len(text)) + text + b"\0"
        else:
            element = type_[1:-1]
            size, align = self.schema.size_align(element)
            self.align(max(4, align), 8 if element == self.misaligned else 4)
            self.point(at)
            count = value.count if isinstance(value, Repeat) else len(value)
            self.out += struct.pack("<I", count)
            start = len(self.out)
            by_offset = element == "string" or element in self.schema.tables
            if isinstance(value, Repeat):
                self.out += bytes(4 * count)
                self.child(element, value[0], start)
                first = start + struct.unpack_from("<I", self.out, start)[0]
                for i in range(1, count):
                    struct.pack_into("<I", self.out, start + 4 * i, first - start - 4 * i)
                return
            for item in value:
                self.out += bytes(4) if by_offset else self.inline(element, item)
            if by_offset:
                for i, item in enumerate(value):
                    self.child(element, item, start + i * size)

    def table(self, name, value, at):
        fields = self.schema.tables[name]
        unknown = set(value) - {field.name for field in fields}
        if unknown:
            raise ValueError(f"{name} has no field {unknown}")
        used = [f for f in fields if value.get(f.name) is not None and value[f.name] != f.default]
        body, places = 4, {}
        for field in sorted(used, key=lambda f: -self.schema.size_align(f.type)[0]):
            size, align = self.schema.size_align(field.type)
            body = -(-body // align) * align
            places[field.name] = body
            body += size
        count = max((fields.index(f) + 1 for f in used), default=0)
        vtable = struct.pack("<HH", 4 + 2 * count, body)
        vtable += b"".join(struct.pack("<H", places.get(f.name, 0)) for f in fields[:count])
        self.align(8, len(vtable))
        self.out += vtable
        start = len(self.out)
        self.point(at)
        self.out += struct.pack("<i", len(vtable)) + bytes(body - 4)
        for field in used:
            if field.type[0] != "[" and field.type != "string" and field.type not in self.schema.tables:
                data = self.inline(field.type, value[field.name])
                self.out[start + places[field.name]:start + places[field.name] + len(data)] = data
        for field in used:
            if field.type[0] == "[" or field.type == "string" or field.type in self.schema.tables:
                self.child(field.type, value[field.name], start + places[field.name])


def encode(schema, value, misaligned=None, prefixed=True):
    """A buffer of the root table from dicts and lists; fields left out keep their defaults.

    The elements of vectors of the 8-byte type `misaligned` lie 4 bytes off: for tests of readers.
    """
    encoder = _Encoder(schema, misaligned)
    start = 4 if prefixed else 0
    encoder.out += bytes(start + 4) + schema.identifier
    encoder.table(schema.root, value, start)
    if prefixed:
        struct.pack_into("<I", encoder.out, 0, len(encoder.out) - 4)
    return bytes(encoder.out)
