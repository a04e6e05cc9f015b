#!/usr/bin/env python3
"""Checks a proof of Bourse's ledger with nothing but Python and this file.

    ./bourse ledger prove <event or movement id> > proof.json
    python3 examples/check_proof.py proof.json [checkpoint.txt]

It shares no code with the market. It recomputes, from the bytes in the document, the hash of the
entry, the Merkle root of its batch, the hash of the batch, and the Merkle root of the log, and
compares that with the checkpoint: the one in the document, or a file that you kept from before.
The checks of the paths are those of RFC 9162, section 2.1.3.2. Signatures are not checked, since
Python's own library has no Ed25519; `./bourse ledger check-proof --key` does.

Exit codes: 0 proved, 1 not proved, 2 cannot be read.
"""

import base64
import hashlib
import json
import sys


class NotProved(Exception):
    pass


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def root_of_path(leaf, index, size, path):
    """The root that a tree of `size` leaves has when this leaf and path are at `index` in it."""
    if not 0 <= index < size:
        raise NotProved(f"a tree of {size} has no leaf {index}")
    node, last, root = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise NotProved("the path is too long")
        if node % 2 == 1 or node == last:
            root = sha256(b"\x01", sibling, root)
            while node % 2 == 0 and node != 0:
                node, last = node >> 1, last >> 1
        else:
            root = sha256(b"\x01", root, sibling)
        node, last = node >> 1, last >> 1
    if last != 0:
        raise NotProved("the path is too short")
    return root


def no_twins(pairs):
    """Refuses objects that name a member twice: two readers would see two things."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotProved("a member is there twice")
    return members


def read_hashes(texts):
    hashes = [bytes.fromhex(text) for text in texts]
    if any(len(each) != 32 for each in hashes):
        raise NotProved("a hash does not have 32 bytes")
    return hashes


def read_checkpoint(text):
    origin, size, root = text.split("\n\n")[0].split("\n")[:3]
    return origin, int(size), base64.b64decode(root, validate=True)


def check(proof, trusted):
    if proof["format"] != "bourse-ledger-proof/1":
        raise NotProved(f"unknown format {proof['format']}")

    # 1. The entry, exactly as it was written, is a leaf of its batch.
    entry = proof["entry"].encode("utf-8")
    leaf = sha256(b"\x00", entry)

    # 2. Its path leads to the root that the batch bears.
    batch = json.loads(proof["batch"], object_pairs_hook=no_twins)
    path = read_hashes(proof["entry_path"])
    if root_of_path(leaf, proof["entry_index"], batch["entries"], path).hex() != batch["root"]:
        raise NotProved(f"the entry does not lead to the root of batch {batch['sequence']}")

    # 3. The batch's own hash is a leaf of the log, at the place that its sequence tells.
    batch_hash = sha256(proof["batch"].encode("utf-8"))
    origin, size, root = read_checkpoint(trusted or proof["checkpoint"])
    if trusted and read_checkpoint(proof["checkpoint"]) != (origin, size, root):
        raise NotProved("the proof is made for another checkpoint than the one you gave")
    path = read_hashes(proof["batch_path"])
    log_root = root_of_path(sha256(b"\x00", batch_hash), int(batch["sequence"]) - 1, size, path)

    # 4. Its path leads to the root of the checkpoint.
    if log_root != root:
        raise NotProved(f"batch {batch['sequence']} does not lead to the root of the checkpoint")
    return json.loads(entry, object_pairs_hook=no_twins), batch, origin, size


def main(arguments):
    if len(arguments) not in (1, 2):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        with open(arguments[0], encoding="utf-8") as file:
            proof = json.load(file)
        trusted = None
        if len(arguments) == 2:
            with open(arguments[1], encoding="utf-8", newline="") as file:
                trusted = file.read()
        entry, batch, origin, size = check(proof, trusted)
    except NotProved as problem:
        print(f"NOT PROVED: {problem}", file=sys.stderr)
        return 1
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as problem:
        print(f"not a proof: {problem!r}", file=sys.stderr)
        return 2
    print(json.dumps(entry, indent=2, ensure_ascii=False))
    print(f"PROVED: entry of batch {batch['sequence']}, written {batch['recorded_at']},")
    print(f"in the log {origin} of {size} batches.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
