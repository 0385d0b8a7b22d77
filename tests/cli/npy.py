"""npy.py OUT DTYPE DIM...: an array of small numbers, such as `npy.py x.npy '<f4' 1 64`."""

import struct
import sys

out, dtype, dims = sys.argv[1], sys.argv[2], [int(d) for d in sys.argv[3:]]
count = 1
for d in dims:
    count *= d
shape = "(%s)" % "".join("%d, " % d for d in dims)
header = ("{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (dtype, shape)).encode()
header += b" " * (63 - (10 + len(header)) % 64) + b"\n"
code = {"<f4": "f", "<f8": "d", "<i8": "q", "<i4": "i", "|u1": "B"}[dtype]
values = [i * 7 % 11 for i in range(count)]
with open(out, "wb") as f:
    f.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + struct.pack("<%d%s" % (count, code), *values))
