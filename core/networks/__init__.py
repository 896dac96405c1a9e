"""Networks without TensorFlow: their weight files, their ONNX graphs, and the runtime that computes them."""
