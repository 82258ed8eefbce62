"""The one way in which ONNX networks are started."""

from __future__ import annotations

import os
from typing import Any


def make_session(graph: bytes, threads: int, device: str) -> Any:
    """Return a session for an ONNX graph; CPU, or CUDA when onnxruntime has it.

    Args:
        threads: limit of its CPU threads. device: "auto", "cpu", "cuda" or "cuda:N".
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read by onnxruntime when it is imported
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # Spinning worker threads would take the second core from the decoder and the encoder.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers: list[Any] = ["CPUExecutionProvider"]
    if device != "cpu" and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        number = device.partition(":")[2] or "0"
        providers.insert(0, ("CUDAExecutionProvider", {"device_id": number}))
    return onnxruntime.InferenceSession(graph, options, providers=providers)
