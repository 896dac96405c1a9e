"""What the trainable models share: batches in, losses out, networks and optimizers by file name."""

import contextlib
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from core.nn import devices, initializers, losses
from core.nn.jax_engine import JaxEngine
from core.nn.layers import recomputed_blocks
from core.nn.optimizers import AdaBelief, Optimizer, RMSprop
from core.nn.weights import named_variables

LR_DROPOUT_KEEP_SHARE = 0.3
LR_DROPOUT_COSINE_PERIOD = 500
CLIP_NORM = 1.0


class TrainableModel:
    """Networks, optimizers and one training step.

    Parameters
    ----------
    options : dict
        The model's options, complete.
    batch_size : int, optional
        Samples per side in a step; ``options["batch_size"]`` if left out.
    training : bool
        False builds only what prediction needs.
    seed : int, optional
        Makes initial weights and random draws repeatable.

    Attributes
    ----------
    networks : dict
        Weight file stem to Keras model.
    optimizers : dict
        Weight file stem to optimizer. Empty unless training.
    resolution : int
    last_sample_losses : np.ndarray
        Losses of the latest step, one row per side, one column per sample.
    """

    networks: dict[str, keras.Model]
    optimizers: dict[str, Optimizer]
    resolution: int

    def __init__(self, options: dict, batch_size: int | None = None, training: bool = True, seed: int | None = None):
        self.options = dict(options)
        self.batch_size = batch_size or options.get("batch_size")
        self.training = training
        self.optimizers = {}
        self.last_sample_losses = np.zeros((0, 0), np.float32)
        self._seeds = np.random.SeedSequence(seed)
        self._strategy = devices.training_strategy() if training else tf.distribute.get_strategy()
        with self._strategy.scope(), self._placement(), self._precision(), initializers.seeded(self._next_seed()):
            self._build()
        self._train_function = tf.function(self._train_on_all, jit_compile=self._technical("compile_step"))
        self._predict_function = tf.function(self._predict)
        self._preview_function = tf.function(self._preview)
        self._engine = None if devices.jax_device() is None else JaxEngine(self.state_variables(), devices.jax_device())

    def train_one_iteration(self, batch: dict) -> np.ndarray:
        """Make one step on a batch.

        When a loss or a gradient is not finite, no weight changes and the losses are NaN.

        Parameters
        ----------
        batch : dict
            Input name to array (N, R, R, C), uint8 or float32 in 0..1.

        Returns
        -------
        np.ndarray
            Mean loss of each side before the step, float64.
        """
        inputs = _named(batch, self.input_names())
        if self._engine is not None:
            sample_losses = self._engine.step(self._train, inputs)
        else:
            sample_losses = self._train_function(self._spread(_tensors(inputs)))
        self.last_sample_losses = np.array(sample_losses, np.float64)
        return self.last_sample_losses.mean(axis=1)

    def preview_tensors(self, batch: dict) -> dict[str, np.ndarray]:
        """Pictures and masks of the networks for the targets of a batch, float32 in 0..1."""
        inputs = _named(batch, self.preview_names())
        if self._engine is not None:
            outputs = self._engine.run(self._preview, inputs)
        else:
            tensors = _tensors(inputs)
            # Traced once for batches of any size: previews and held-out faces seldom come in the same numbers.
            outputs = self._preview_function.get_concrete_function(_of_any_count(tensors))(tensors)
        return {name: np.array(value) for name, value in outputs.items()}

    def state_variables(self) -> dict[str, keras.Variable]:
        """All that training changes, by names of its own: weights, moments, counters."""
        weights = {
            f"{stem}/{key}": variable
            for stem, network in self.networks.items()
            for key, variable in named_variables(network).items()
        }
        for stem, optimizer in self.optimizers.items():
            weights |= {f"{stem}/{key}": slot for key, slot in optimizer.named_slots().items()}
            weights |= {f"{stem}/iterations": optimizer.iterations, f"{stem}/loss_scale": optimizer.loss_scale}
        return weights

    def settle(self) -> None:
        """Bring the present weights and moments into the variables; to be called before they are read."""
        if self._engine is not None:
            self._engine.settle()

    def refresh(self) -> None:
        """Take up weights and moments that were put into the variables; to be called after that."""
        if self._engine is not None:
            self._engine.refresh()

    def _predicted(self, *inputs):
        """Outputs of the network for prediction, as arrays."""
        if self._engine is not None:
            outputs = self._engine.run(self._predict_all, inputs)
        else:
            outputs = self._predict_function(*(tf.convert_to_tensor(each) for each in inputs))
        return tf.nest.map_structure(np.array, outputs)

    def _predict_all(self, inputs):
        return self._predict(*inputs)

    def go_on_at(self, iteration: int) -> None:
        """Take up training at an iteration; only a model whose steps differ looks at it."""

    def resume(self, data: Any, iteration: int) -> None:
        """Take from the run's data what an uninterrupted run would have kept; most models keep nothing.

        Parameters
        ----------
        data : object
            With ``batch_before(iteration)``; see :class:`models.training.training_data.SwapData`.
        iteration : int
        """

    def reuses_previous_batch(self) -> bool:
        """Whether the next iteration will not look at the batch that it is given."""
        return False

    def input_names(self) -> tuple[str, ...]:
        """Names of the arrays that a training step reads."""
        raise NotImplementedError

    def preview_names(self) -> tuple[str, ...]:
        """Names of the arrays that a preview reads."""
        return ("target_src", "target_dst")

    def _spread(self, tensors):
        """Equal consecutive parts of the batch for the devices that train side by side."""
        replicas = self._strategy.num_replicas_in_sync
        if replicas == 1:
            return tensors
        size = len(next(iter(tensors.values()))) // replicas

        def part(context):
            start = context.replica_id_in_sync_group * size
            return {name: tensor[start : start + size] for name, tensor in tensors.items()}

        return self._strategy.experimental_distribute_values_from_function(part)

    def _train_on_all(self, tensors):
        if self._strategy.num_replicas_in_sync == 1:
            return self._train(tensors)
        return self._strategy.gather(self._strategy.run(self._train, args=(tensors,)), axis=1)

    def _build(self):
        raise NotImplementedError

    def _train(self, tensors):
        raise NotImplementedError

    def _predict(self, *inputs):
        raise NotImplementedError

    def _preview(self, tensors):
        raise NotImplementedError

    def _next_seed(self):
        return int(self._seeds.spawn(1)[0].generate_state(1)[0])

    def _optimizer(self, networks, kind=AdaBelief, **arguments):
        """An optimizer with slots for all weights of ``networks``.

        On processors an update with learning-rate dropout is never compiled: XLA draws the masks so slowly that a
        step of Quick96 takes 1.7 times as long, and its first iteration three times.
        """
        draws_masks = arguments.get("keep_share", 1.0) < 1.0
        return kind(
            full_names(networks),
            seed=self._next_seed(),
            fuse_update=self._technical("fuse_update")
            and not (draws_masks and not devices.uses_gpu())
            and devices.jax_device() is None,
            scale_loss=self._technical("precision") == "float16",
            **arguments,
        )

    def _minimize(self, stem, tape, loss, variables):
        """Make one step of an optimizer; False when a gradient was not finite. Nothing has changed then.

        Gradients are computed where the networks run; the option moves only what is kept, with its update.
        """
        optimizer = self.optimizers[stem]
        gradients = optimizer.gradients(tape, loss, variables)
        with self._placement():
            return optimizer.apply(gradients)

    def _checked(self, sample_losses, *finite):
        """``sample_losses``, or NaN when a step was skipped for its gradients."""
        if self._technical("precision") == "float16":
            return sample_losses  # There a skipped step is a normal part of finding the loss scale.
        return tf.where(tf.reduce_all(finite), sample_losses, np.nan)

    def _technical(self, name):
        return devices.technical_option(self.options, name)

    def _placement(self):
        """Where weights and optimizer state live."""
        # tf.device(None) would lift the device that the caller has chosen.
        on_card = self.options.get("models_opt_on_gpu", True) or devices.jax_device() is not None
        return contextlib.nullcontext() if on_card else tf.device("CPU:0")

    @contextlib.contextmanager
    def _precision(self):
        with devices.precision(self._technical("precision")), recomputed_blocks(self._recomputes()):
            yield

    def _recomputes(self):
        """JAX's compiler decides by itself what it computes again."""
        return bool(self._technical("recompute")) and devices.jax_device() is None

    def _swap_optimizer_arguments(self):
        """Kind and settings that the options of SAEHD and AMP ask for."""
        wanted = self.options.get("lr_dropout", "n")
        dropout = wanted in ("y", "cpu")
        return {
            "kind": AdaBelief if self.options.get("adabelief", True) else RMSprop,
            "learning_rate": self.options.get("learning_rate", 5e-5),
            "keep_share": LR_DROPOUT_KEEP_SHARE if dropout else 1.0,
            "cosine_period": LR_DROPOUT_COSINE_PERIOD if dropout else 0,
            "masks_on_cpu": wanted == "cpu" and devices.jax_device() is None,
            "clip_norm": CLIP_NORM if self.options.get("clipgrad", False) else 0.0,
        }


def _named(batch, names):
    missing = [name for name in names if name not in batch]
    if missing:
        raise KeyError(f"the batch lacks {', '.join(missing)}")
    return {name: batch[name] for name in names}


def _tensors(batch):
    return {name: tf.convert_to_tensor(value) for name, value in batch.items()}


def _of_any_count(tensors):
    """Specifications of tensors whose first dimension, that of the batch, is left open; numbers stay numbers."""
    return {
        name: tf.TensorSpec((None, *tensor.shape[1:]) if tensor.shape.rank else (), tensor.dtype)
        for name, tensor in tensors.items()
    }


def full_names(networks: Iterable[keras.Model]) -> dict:
    """Weights of several networks by ``<net name>/<key>``."""
    return {
        f"{network.name}/{key}": variable for network in networks for key, variable in named_variables(network).items()
    }


def to_unit_range(tensor: tf.Tensor) -> tf.Tensor:
    """uint8 0..255 or float 0..1 to float32 0..1."""
    if tensor.dtype == tf.uint8:
        return tf.cast(tensor, tf.float32) / 255
    return tf.cast(tensor, tf.float32)


def both_sides(tensors: dict[str, tf.Tensor], name: str) -> tf.Tensor:
    """``<name>src`` followed by ``<name>dst`` as one batch of float32 0..1."""
    return to_unit_range(tf.concat((tensors[f"{name}src"], tensors[f"{name}dst"]), axis=0))


def both_masks(tensors: dict[str, tf.Tensor], suffix: str) -> tf.Tensor:
    """``target_srcm`` followed by ``target_dstm``, with ``suffix`` ``m`` or ``m_em``."""
    return to_unit_range(tf.concat((tensors[f"target_src{suffix}"], tensors[f"target_dst{suffix}"]), axis=0))


def image_loss(target: tf.Tensor, prediction: tf.Tensor, resolution: int) -> tf.Tensor:
    """10 dssim + 10 mean square; from 256 pixels on with two windows of weight 5. (N,)"""
    window = int(resolution / 11.6)
    loss = 10 * losses.mean_square(target, prediction)
    if resolution < 256:
        return loss + 10 * losses.dssim(target, prediction, filter_size=window)
    return loss + two_window_dssim(target, prediction, resolution)


def two_window_dssim(target: tf.Tensor, prediction: tf.Tensor, resolution: int) -> tf.Tensor:
    """5 dssim with the window R / 11.6 and 5 with R / 23.2. (N,)"""
    return sum(5 * losses.dssim(target, prediction, filter_size=int(resolution / part)) for part in (11.6, 23.2))
