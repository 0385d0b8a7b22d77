"""What magika's file type model reads of a file: 1024 bytes from either end, white space stripped outside, padded."""

SIZE, BLOCK, PADDING = 1024, 4096, 256


def features(content):
    first, last = content[:BLOCK].lstrip()[:SIZE], content[-BLOCK:].rstrip()[-SIZE:]
    return [*first, *[PADDING] * (SIZE - len(first)), *[PADDING] * (SIZE - len(last)), *last]
