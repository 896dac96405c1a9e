"""What a training was asked for, besides the options of its model."""

from dataclasses import dataclass
from pathlib import Path

from core.engines import TENSORFLOW


@dataclass(frozen=True)
class TrainRequest:
    """One call of ``train``.

    Parameters
    ----------
    model : str
        Kind of the model, for example ``SAEHD``.
    model_dir : Path
    training_data_src_dir, training_data_dst_dir : Path
        Facesets.
    pretraining_data_dir, pretrained_model_dir : Path, optional
        Faceset for pretraining, and start weights for a new Quick96.
    force_model_name : str, optional
        Asked for if left out.
    set : sequence of str
        Options of the model, ``KEY=VALUE``.
    options, recipe, dump_options : Path, optional
        YAML files: options to read, phases to train in, options to write.
    silent_start, no_preview, debug, notebook : bool
        As the flags of these names.
    cpu_only, force_gpu_idxs
        What :func:`core.device_choice.choose_devices` takes.
    engine : str
        What trains: ``tensorflow`` or ``jax``.
    target_iter : int, optional
        Ends the training.
    saving_time : float
        Minutes between saves.
    save_every : int
        Iterations between further saves; 0 is none.
    backup_every : float
        Hours between backups; 0 is none.
    run_every : sequence of (str, str)
        Seconds, and a command to run that often.
    execute_program : sequence of sequence of str
        Seconds, and what to do then.
    holdout : int
        Faces of each side that are kept for scores.
    tensorboard : Path, optional
    web_preview : int, optional
        Port.
    seed, workers, cache_mb : int, optional
        Repeatable training; threads that make samples; memory for decoded faces in MiB.
    sample_store : Path or str, optional
        Folder in which cut out faces are kept; an empty text is beside the facesets, None keeps none.
    restore_backup : str, optional
        Backup to put back first; an empty text is the newest whole one.
    replace_missing_weights : bool
    fallback_save_dir : Path, optional
    """

    model: str
    model_dir: Path
    training_data_src_dir: Path
    training_data_dst_dir: Path
    pretraining_data_dir: Path | None = None
    pretrained_model_dir: Path | None = None
    force_model_name: str | None = None
    set: tuple[str, ...] | list[str] = ()
    options: Path | None = None
    recipe: Path | None = None
    dump_options: Path | None = None
    silent_start: bool = False
    no_preview: bool = False
    debug: bool = False
    notebook: bool = False
    cpu_only: bool = False
    force_gpu_idxs: list[int] | None = None
    engine: str = TENSORFLOW
    target_iter: int | None = None
    saving_time: float = 25.0
    save_every: int = 0
    backup_every: float = 0.0
    run_every: tuple | list = ()
    execute_program: tuple | list = ()
    holdout: int = 0
    tensorboard: Path | None = None
    web_preview: int | None = None
    seed: int | None = None
    workers: int | None = None
    cache_mb: int | None = None
    sample_store: Path | str | None = None
    restore_backup: str | None = None
    replace_missing_weights: bool = False
    fallback_save_dir: Path | None = None
