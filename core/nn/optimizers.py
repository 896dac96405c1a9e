"""DeepFaceLab's two optimizers, with learning-rate dropout, a cosine cycle and clipping by the global norm.

They differ from the optimizers of Keras of the same name: no bias correction, epsilon outside the root, no
decay. Gradients are those of the sum of the losses over the batch.
"""

import contextlib
import math
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from core.nn import devices

EPSILON = 1e-6

FIRST_LOSS_SCALE = 2.0**12
LARGEST_LOSS_SCALE = 2.0**24
WEIGHTS_AT_ONCE = 4_000_000
LOSS_SCALE_GROWTH = 2 ** (1 / 1000)


class Optimizer:
    """Base: counter, slots by name, clipping, learning-rate dropout.

    Parameters
    ----------
    variables : dict
        Full name ``<net name>/<key>`` to variable, in the order of the optimizer file.
    learning_rate : float
    keep_share : float
        Share of the weights, drawn anew for every step, that a step changes (learning-rate dropout; Lin et al.,
        2019). 1 changes all. Slots are always updated in full.
    cosine_period : int
        Above 0: the rate is learning_rate * (cos(2 pi t / period) + 1) / 2 at step t, largest at t = 0.
    clip_norm : float
        Above 0: scale all gradients so that their common norm is at most this.
    seed : int, optional
        Makes the dropout masks repeatable.
    fuse_update : bool
        Compile the update with XLA: one pass over memory in place of about ten.
    scale_loss : bool
        Multiply the loss before differentiating, by a factor that adapts, so that small gradients survive float16
        (Micikevicius et al., Mixed Precision Training, 2018).
    masks_on_cpu : bool
        Draw the masks of learning-rate dropout on the processor, in main memory; only one byte a weight of the group in
        work goes to the device of the weights.
    """

    slot_prefixes: tuple[str, ...] = ()

    def __init__(
        self,
        variables: dict,
        learning_rate: float = 0.001,
        keep_share: float = 1.0,
        cosine_period: int = 0,
        clip_norm: float = 0.0,
        seed: int | None = None,
        fuse_update: bool = False,
        scale_loss: bool = False,
        masks_on_cpu: bool = False,
    ):
        self.learning_rate = learning_rate
        self.keep_share = keep_share
        self.cosine_period = cosine_period
        self.clip_norm = clip_norm
        self.fuse_update = fuse_update
        self.masks_on_cpu = masks_on_cpu
        self.variables = dict(variables)
        self.iterations = _state(np.int64(0))
        self.loss_scale = _state(np.float32(FIRST_LOSS_SCALE if scale_loss else 1.0))
        self._scales_loss = scale_loss
        first_seed = int(np.random.default_rng(seed).integers(2**31))
        self._seeds = {name: first_seed + index for index, name in enumerate(self.variables)}
        self._slots = {
            name: tuple(_state(tf.zeros(variable.shape, tf.float32)) for _ in self.slot_prefixes)
            for name, variable in self.variables.items()
        }

    def named_slots(self) -> dict:
        """Slot variables by their key in the optimizer file: first all of one kind, then all of the next."""
        return {
            f"{prefix}_{name.removesuffix(':0')}_0:0": self._slots[name][index]
            for index, prefix in enumerate(self.slot_prefixes)
            for name in self.variables
        }

    def gradients(self, tape: tf.GradientTape, loss: tf.Tensor, variables: dict) -> dict:
        """Differentiate the sum of ``loss`` over the batch, times ``loss_scale``.

        Parameters
        ----------
        tape : tf.GradientTape
            That recorded ``loss``.
        loss : tensor (N,)
        variables : dict
            Full name to variable; a subset of the optimizer's.

        Returns
        -------
        dict
            Full name to gradient, as :meth:`apply` takes them.
        """
        upstream = tf.ones_like(loss) * tf.convert_to_tensor(self.loss_scale)
        gradients = tape.gradient(loss, [_tensor_variable(each) for each in variables.values()], upstream)
        return dict(zip(variables, gradients))

    def apply(self, gradients: dict) -> tf.Tensor:
        """Make one step.

        Parameters
        ----------
        gradients : dict
            Full name to gradient of the loss times ``loss_scale``. Variables that are left out keep their value and
            their slots.

        Returns
        -------
        tensor ()
            False when a gradient was not finite; nothing has changed then.
        """
        missing = [name for name, gradient in gradients.items() if gradient is None]
        if missing:
            raise ValueError(f"no gradient reaches {', '.join(missing)}")
        step, unscale = tf.convert_to_tensor(self.iterations), 1 / tf.convert_to_tensor(self.loss_scale)
        gradients = dict(zip(gradients, _averaged([tf.convert_to_tensor(each) for each in gradients.values()])))
        half_squares = tf.add_n([tf.nn.l2_loss(tf.cast(each, tf.float32)) for each in gradients.values()])
        square_norm = 2 * half_squares * unscale**2
        finite = tf.math.is_finite(square_norm)
        factor = unscale * self._clip_factor(square_norm)
        update = tf.function(self._updated, jit_compile=True) if self.fuse_update else self._updated
        for group in self._groups(gradients):
            self._apply_group(update, group, gradients, factor, finite, step)
        scale = tf.convert_to_tensor(self.loss_scale)
        if self._scales_loss:
            grown = tf.minimum(scale * LOSS_SCALE_GROWTH, LARGEST_LOSS_SCALE)
            scale = tf.where(finite, grown, tf.maximum(scale / 2, 1.0))
        _assign([self.iterations, self.loss_scale], [step + tf.cast(finite, tf.int64), scale])
        return finite

    def _apply_group(self, update, names, gradients, factor, finite, step):
        """Update the variables of ``names``."""
        variables = [self.variables[name] for name in names]
        seeds = [self._seeds[name] for name in names]
        masks = None
        if self.masks_on_cpu and self.keep_share < 1:
            # Before the update, which may be compiled: a compiled function computes on one device only.
            with tf.device("CPU:0"):
                masks = [self._kept(seed, step, variable.shape) for seed, variable in zip(seeds, variables)]
        slots = [self._slots[name] for name in names]
        new_values, new_slots = update(
            [tf.convert_to_tensor(variable) for variable in variables],
            [[tf.convert_to_tensor(slot) for slot in of_variable] for of_variable in slots],
            [gradients[name] for name in names],
            seeds if masks is None else masks,
            factor,
            finite,
            step,
        )
        _assign(
            variables + [slot for of_variable in slots for slot in of_variable],
            new_values + [value for values in new_slots for value in values],
        )

    def _updated(self, values, slots, gradients, masks, factor, finite, step):
        """New values and new slots from old ones; pure, so that it can be compiled. Seeds stand for masks to draw."""
        rate = self._rate(step)
        new_values, new_slots = [], []
        for value, old_slots, gradient, mask in zip(values, slots, gradients, masks):
            direction, changed_slots = self._direction(tf.cast(gradient, tf.float32) * factor, old_slots)
            difference = rate * direction
            if self.keep_share < 1:
                kept = mask if self.masks_on_cpu else self._kept(mask, step, value.shape)
                difference *= tf.cast(kept, tf.float32)
            new_values.append(tf.where(finite, value - difference, value))
            new_slots.append([tf.where(finite, new, old) for new, old in zip(changed_slots, old_slots)])
        return new_values, new_slots

    def _groups(self, names):
        """``names`` in groups of a few million weights: each is updated at once and needs its memory twice."""
        groups, size = [[]], 0
        for name in names:
            if size > WEIGHTS_AT_ONCE:
                groups.append([])
                size = 0
            groups[-1].append(name)
            size += int(np.prod(self.variables[name].shape))
        return groups

    def _clip_factor(self, square_norm):
        if not self.clip_norm:
            return tf.constant(1.0)
        norm = tf.sqrt(square_norm)
        return tf.where(norm >= self.clip_norm, self.clip_norm / norm, tf.ones_like(norm))

    def _direction(self, gradient, slots):
        """The step before the learning rate, and the new slots."""
        raise NotImplementedError

    def _rate(self, step):
        if not self.cosine_period:
            return tf.constant(self.learning_rate, tf.float32)
        angle = tf.cast(step, tf.float32) * (2 * math.pi / self.cosine_period)
        return self.learning_rate * (tf.cos(angle) + 1) / 2

    def _kept(self, seed, step, shape):
        """Which weights a step changes: bool of the variable's shape, drawn anew for every step and variable."""
        # Of whole numbers, as TensorFlow makes a float of the lower bits and XLA of the upper ones. TensorFlow takes Philox by
        # itself, in one operation instead of many.
        seeds = tf.stack((tf.constant(seed, tf.int64), step))
        algorithm = "auto_select" if devices.jax_device() is None else "philox"
        bits = tf.random.stateless_uniform(shape, seeds, minval=None, maxval=None, dtype=tf.uint32, alg=algorithm)
        return tf.cast(bits & (2**23 - 1), tf.float32) / 2**23 < self.keep_share


class RMSprop(Optimizer):
    """Gradient over the root of its running mean square (Hinton, 2012)."""

    slot_prefixes = ("acc",)
    rho = 0.9

    def _direction(self, gradient, slots):
        (accumulator,) = slots
        accumulator = self.rho * accumulator + (1 - self.rho) * tf.square(gradient)
        return gradient / (tf.sqrt(accumulator) + EPSILON), (accumulator,)


class AdaBelief(Optimizer):
    """Running mean of the gradient over the running deviation from it (Zhuang et al., 2020), uncorrected."""

    slot_prefixes = ("ms", "vs")
    beta_1, beta_2 = 0.9, 0.999

    def _direction(self, gradient, slots):
        mean, variance = slots
        mean = self.beta_1 * mean + (1 - self.beta_1) * gradient
        variance = self.beta_2 * variance + (1 - self.beta_2) * tf.square(gradient - mean)
        return mean / (tf.sqrt(variance) + EPSILON), (mean, variance)


def _state(value):
    """A variable that no gradient reaches; of Keras, as the weights are, so that both can be given values from outside."""
    return keras.Variable(value, trainable=False, dtype=value.dtype.name, autocast=False)


def _averaged(gradients):
    """Mean over the devices that train side by side; each has the sum over its part of the batch."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return gradients
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, gradients)


def _assign(variables, values):
    """Give variables new values, on every device that trains."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        for variable, value in zip(variables, values):
            variable.assign(value)
        return

    def update(strategy, values):
        for variable, value in zip(variables, values):
            target = _tensor_variable(variable)
            strategy.extended.update(target, lambda target, new: target.assign(new), args=(value,), group=False)

    context.merge_call(update, args=(values,))


@contextlib.contextmanager
def recorded(variables: dict) -> Iterator[tf.GradientTape]:
    """A tape that knows these variables, also while tensors stand in their place (:mod:`core.nn.jax_engine`).

    Parameters
    ----------
    variables : dict
        Full name to variable.
    """
    with tf.GradientTape() as tape:
        tape.watch([_tensor_variable(variable) for variable in variables.values()])
        yield tape


def _tensor_variable(variable):
    """TensorFlow's variable inside of a Keras variable, or the tensor that stands in its place."""
    return getattr(variable, "value", variable) if not isinstance(variable, tf.Variable) else variable
