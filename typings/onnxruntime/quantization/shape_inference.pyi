from os import PathLike

def quant_pre_process(
    input_model: str | PathLike[str],
    output_model_path: str | PathLike[str],
    skip_optimization: bool = False,
    skip_onnx_shape: bool = False,
    skip_symbolic_shape: bool = False,
) -> None: ...
