from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from onnx_files import graph_bytes, pixel_reader, planted, with_external_weights

from faceswap.errors import UnsupportedInputError
from faceswap.faces.graph import read_graph
from faceswap.faces.session import Runner

PLAIN = planted({"answer": np.ones((1, 4))})


def test_open_sizes_are_none() -> None:
    graph = read_graph(PLAIN, "x.onnx")
    assert graph.inputs[0].shape == (1, 3, None, None)
    assert graph.outputs[0].shape == (1, 4)
    assert graph.shape_text == "inputs pictures (1, 3, ?, ?); outputs answer (1, 4)"


def test_weights_are_taken_off_the_inputs() -> None:
    model = onnx.load_from_string(PLAIN)
    model.graph.input.append(helper.make_tensor_value_info("answer_value", TensorProto.FLOAT, (1, 4)))
    assert [slot.name for slot in read_graph(model.SerializeToString(), "x.onnx").inputs] == ["pictures"]


@pytest.mark.parametrize("inside_a_branch", [False, True])
def test_weights_in_other_files_are_refused(inside_a_branch: bool) -> None:
    with pytest.raises(UnsupportedInputError, match=r"x\.onnx keeps weights in other files \('elsewhere'\)"):
        read_graph(with_external_weights(PLAIN, inside_a_branch=inside_a_branch), "x.onnx")


@pytest.mark.parametrize("data", [b"", b"not a graph", PLAIN[: len(PLAIN) // 2], b"\x80\x04K\x01."])
def test_what_is_no_onnx_file_is_refused(data: bytes) -> None:
    with pytest.raises(UnsupportedInputError, match=r"x\.onnx is not an ONNX file"):
        read_graph(data, "x.onnx")


def test_networks_that_take_no_pictures_are_refused() -> None:
    data = graph_bytes([helper.make_node("Relu", ["pictures"], ["y"])], (1, 16), {"y": (1, 16)})
    with pytest.raises(UnsupportedInputError, match="does not take one batch of pictures"):
        read_graph(data, "x.onnx")


def test_shapes_that_a_file_leaves_out_are_inferred() -> None:
    model = onnx.load_from_string(planted({"answer": np.ones((1, 4))}))
    model.graph.output[0].type.tensor_type.ClearField("shape")
    assert read_graph(model.SerializeToString(), "x.onnx").outputs[0].shape == (1, 4)


def test_a_fixed_batch_of_one_is_run_picture_by_picture() -> None:
    nodes = [helper.make_node("ReduceMean", ["pictures"], ["mean"], axes=[1, 2, 3])]
    data = graph_bytes(nodes, (1, 3, 8, 8), {"mean": (1, 1, 1, 1)})
    run = Runner(read_graph(data, "x.onnx"), "x.onnx", 1, "cpu")
    batch = np.stack([np.full((3, 8, 8), value, np.float32) for value in (1, 2, 3)])
    assert [float(outputs[0].squeeze()) for outputs in run(batch)] == [1, 2, 3]


def test_networks_without_finite_answers_are_found_before_use() -> None:
    run = Runner(read_graph(planted({"answer": np.full((1, 4), np.nan)}), "x.onnx"), "x.onnx", 1, "cpu")
    with pytest.raises(UnsupportedInputError, match=r"x\.onnx gives no finite numbers"):
        run.check((3, 8, 8))


def test_unknown_operators_are_named_in_one_line() -> None:
    data = graph_bytes([helper.make_node("NoSuchThing", ["pictures"], ["y"])], (1, 3, 8, 8), {"y": (1, 3, 8, 8)})
    with pytest.raises(UnsupportedInputError, match=r"x\.onnx cannot be run by onnxruntime: .*NoSuchThing"):
        Runner(read_graph(data, "x.onnx"), "x.onnx", 1, "cpu")


def test_tensors_are_run_where_they_lie_and_give_what_arrays_give() -> None:
    graph = read_graph(pixel_reader([(0, 0), (3, 5)], 8), "x.onnx")
    runner = Runner(graph, "x.onnx", 1, "cpu")
    batch = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(1)).permute(0, 1, 3, 2)  # not contiguous
    (found,) = runner.tensors(batch)
    wanted = np.stack([outputs[0] for outputs in runner(batch.contiguous().numpy())])
    assert found.device == batch.device
    assert np.array_equal(found.numpy(), wanted)
    assert np.array_equal(found[:, :3].numpy(), batch[:, :, 0, 0].numpy())


def test_outputs_of_bound_runs_outlive_the_next_run() -> None:
    runner = Runner(read_graph(pixel_reader([(0, 0)], 8), "x.onnx"), "x.onnx", 1, "cpu")
    (first,) = runner.tensors(torch.full((1, 3, 8, 8), 0.25))
    runner.tensors(torch.full((1, 3, 8, 8), 0.75))
    assert first.tolist() == [[0.25] * 3]


def test_batch_for_a_network_of_single_pictures_is_refused_when_bound() -> None:
    runner = Runner(read_graph(PLAIN, "x.onnx"), "x.onnx", 1, "cpu")
    with pytest.raises(UnsupportedInputError, match=r"x\.onnx takes one picture at a time, not 2"):
        runner.tensors(torch.zeros(2, 3, 8, 8))


def test_onnxruntime_is_told_to_keep_its_telemetry_before_it_is_imported() -> None:
    words = (
        "import sys; from faceswap.faces import session; assert 'onnxruntime' not in sys.modules; "
        "from faceswap.faces.registry import make_detector; make_detector('centerface', threads=1); "
        "import os; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    )
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run([sys.executable, "-c", words], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"
