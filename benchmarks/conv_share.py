"""How much of the cores' own rate of convolutions a training step reaches, layer by layer: ``python benchmarks/conv_share.py [NAME ...]``.

Every convolution that a step traces is run by itself, forwards and with both gradients, in the shapes of the step; the best rate of all of them, and of
some plain large ones, is what the cores can. Printed are, for each shape, how often the step has it, its work, its rate and the share; then what the
convolutions take together beside the whole step. Transposed convolutions, of which XSeg has some, count to the rest. A step that shares its cores with other programs shows a smaller share than it has.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

# (batch, side, channels in, channels out, kernel): forwards these run at what the cores can.
PLAIN = ((8, 32, 128, 128, 3), (8, 32, 256, 256, 3), (8, 64, 64, 64, 3), (8, 16, 512, 512, 3))
ROUNDS = 5


def main():
    """Print a table for each configuration."""
    from train_step import CONFIGS

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "names", nargs="*", choices=[[], *CONFIGS], help="configurations of train_step; three of them if left out"
    )
    parser.add_argument("--top", type=int, default=12, help="shapes that are shown; the rest is summed up")
    options = parser.parse_args()
    for name in options.names or ("saehd-df-ud-128", "quick96", "xseg-256"):
        report(name, options.top)


def report(name, top):
    """One configuration."""
    from train_step import CONFIGS, make_model, random_batch

    kind, values, batch_size, _ = CONFIGS[name]
    calls = recorded_convolutions()
    model = make_model(kind, values, batch_size)
    batch = random_batch(model, batch_size)
    calls.clear()
    model.train_one_iteration(batch)
    counts = {}
    for call in calls:
        counts[call] = counts.get(call, 0) + 1
    model.train_one_iteration(batch)
    step = statistics.median(timed(lambda: model.train_one_iteration(batch)) for _ in range(ROUNDS))
    best = max(2 * b * s * s * i * o * k * k / forward_time((b, s, s, i), (k, k, i, o), 1) for b, s, i, o, k in PLAIN)
    rows = []
    for (shape, kernel, strides), count in counts.items():
        height, width = shape[1] // strides, shape[2] // strides
        work = 2 * shape[0] * height * width * kernel[0] * kernel[1] * kernel[2] * kernel[3]
        seconds = whole_time(shape, kernel, strides)
        rows.append((count * seconds, count, shape, kernel, 3 * work, seconds))
        best = max(best, work / forward_time(shape, kernel, strides), 3 * work / seconds)
    rows.sort(reverse=True)
    print(f"\n{name}: the cores can {best / 1e9:.0f} GFLOP/s; a step takes {1000 * step:.0f} ms\n")
    print("| input | kernel | times | GFLOP each | ms each | GFLOP/s | share of the cores' rate |")
    print("|---|---|---|---|---|---|---|")
    for _, count, shape, kernel, work, seconds in rows[:top]:
        print(
            f"| {' × '.join(map(str, shape))} | {kernel[0]} × {kernel[1]}, {kernel[2]} to {kernel[3]} | {count} | {work / 1e9:.2f} "
            f"| {1000 * seconds:.1f} | {work / seconds / 1e9:.0f} | {work / seconds / best:.0%} |"
        )
    work = sum(row[1] * row[4] for row in rows)
    seconds = sum(row[0] for row in rows)
    print(
        f"\n{len(rows)} shapes, {sum(row[1] for row in rows)} convolutions, {work / 1e9:.0f} GFLOP: {1000 * seconds:.0f} ms by themselves, "
        f"{work / seconds / best:.0%} of the cores' rate. The whole step reaches {work / step / best:.0%}."
    )


def recorded_convolutions():
    """A list to which each convolution that is traced from now on adds (input shape, kernel shape, strides)."""
    from core.nn import convolution, layers

    calls, plain = [], convolution.convolution

    def recording(x, kernel, bias=None, strides=1, padding="SAME", dilation=1):
        if dilation == 1 and None not in tuple(x.shape):
            calls.append((tuple(x.shape), tuple(kernel.shape), strides))
        return plain(x, kernel, bias, strides, padding, dilation)

    layers.convolution = recording
    return calls


def forward_time(shape, kernel, strides):
    """Seconds of one convolution."""
    import tensorflow as tf

    x, weights = tf.random.normal(shape), tf.random.normal(kernel)
    run = tf.function(lambda: tf.nn.conv2d(x, weights, strides, "SAME"))
    run()
    return min(timed(run) for _ in range(ROUNDS))


def whole_time(shape, kernel, strides):
    """Seconds of one convolution and its two gradients, as the program computes them."""
    import tensorflow as tf

    from core.nn.convolution import convolution

    x, weights = tf.Variable(tf.random.normal(shape)), tf.Variable(tf.random.normal(kernel))

    @tf.function
    def run():
        with tf.GradientTape() as tape:
            y = convolution(x, weights, strides=strides)
        return y, tape.gradient(y, (x, weights))  # without y, TensorFlow would leave the convolution itself out

    run()
    return min(timed(run) for _ in range(ROUNDS))


def timed(run):
    """Seconds of one call."""
    start = time.perf_counter()
    result = run()
    if hasattr(result, "numpy"):
        result.numpy()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
