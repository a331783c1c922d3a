"""One signature of a model as a model of its own: for runtimes that know one graph only, such as TFLite Micro."""

from convert import flatbuffer as fb
from lmedge.errors import LmedgeError


def single(model: bytes, key: str) -> bytes:
    """The graph of signature `key` with its weights, and nothing else (no other graph, no metadata). Raises LmedgeError
    for a model without that signature."""
    whole = fb.read(model)
    try:
        signature = fb.signature(whole, key)
    except KeyError:
        raise LmedgeError(f"the model has no signature {key!r}; export the run again with its signatures.") from None
    graph = whole.subgraphs[signature.subgraphIndex]
    signature.subgraphIndex = 0
    whole.subgraphs, whole.signatureDefs = [graph], [signature]
    whole.metadata, whole.metadataBuffer = None, None
    # Buffer 0 is empty by definition: tensors that are computed name it.
    kept = sorted({0, *(tensor.buffer for tensor in graph.tensors)})
    whole.buffers = [whole.buffers[i] for i in kept]
    for tensor in graph.tensors:
        tensor.buffer = kept.index(tensor.buffer)
    codes = sorted({op.opcodeIndex for op in graph.operators})
    whole.operatorCodes = [whole.operatorCodes[i] for i in codes]
    for op in graph.operators:
        op.opcodeIndex = codes.index(op.opcodeIndex)
    return fb.write(whole)
