"""The commands that measure: analyze, evaluate. What takes long to import they import when they run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ctxaudio.errors import CtxAudioError
from ctxaudio.options import Options, check_free, on_a_terminal, option


@dataclass(frozen=True)
class Analysis(Options):
    directory: Path = option(..., "a folder of clips, or one file of any length", metavar="PATH", flag="directory")
    output_dir: Path | None = option(None, "for the CSV, JSON and PNG; where the sound is if not given")
    against: Path | None = option(None, "compare with the clips of this folder: the sham", metavar="DIR")
    rates_hz: tuple[float, ...] = option((), "rates to measure besides the targets", metavar="RATE")
    window_s: float | None = option(None, "of a file: seconds a measurement; 30 if the file is long", above=0)


@dataclass(frozen=True)
class Evaluation(Options):
    model_path: Path = option(..., "the generator, whose clips are made on the spot, without modulation")
    data_dir: Path = option(Path("./data"), "real clips, held out: FSD50K, or sub-folders named as conditions are")
    output_dir: Path = option(Path("./output/evaluation"), "for evaluation.json, .csv and .png")
    num_samples: int = option(20, "generated clips of 4 s, of each condition", least=2)  # a distance needs two
    seed: int = option(0, "of the generated clips, the noises and the intervals", least=0, most=2**31 - 1)
    overwrite: bool = option(False, "replace an earlier evaluation in the folder")


def analyze(options: Analysis) -> None:
    """Measure every sound in a folder, against another folder, or one file over time: a table, its JSON and a
    picture."""
    from ctxaudio.evaluation.analysis import batch_analyze_frequencies, compare_folders
    from ctxaudio.evaluation.over_time import analyse_file

    path, written_to = options.directory, options.output_dir or options.directory
    rates_hz, progress = options.rates_hz, on_a_terminal()
    if path.is_file():
        if options.against is not None:
            raise CtxAudioError(f"{path} is a file: leave out --against")
        table = analyse_file(path, options.output_dir, options.window_s, rates_hz)
        print(f"{table.attrs['lufs']:.1f} LUFS, true peak {table.attrs['true_peak_db']:.1f} dBTP")
        print("strongest rates found:" if table.attrs["found"] else "no rate stands out anywhere")
        for stretch in table.attrs["found"]:
            rate = f"{stretch['start_hz']:.2f} to {stretch['end_hz']:.2f} Hz"
            print(f"  {stretch['from_s']:8.0f} to {stretch['to_s']:8.0f} s: {rate}, depth {stretch['depth']:.3f}")
        stem, written_to = f"{path.stem}_modulation", options.output_dir or path.parent
    elif options.window_s is not None:
        raise CtxAudioError(f"{path} is not a file: leave out --window_s")
    elif options.against is not None:
        table = compare_folders(path, options.against, options.output_dir, progress, rates_hz)
        print(table.round(4).to_string(index=False, na_rep=""))
        print(f"test: Wilcoxon signed-rank, in pairs; p_holm is corrected for {len(table)} measures (Holm)")
        print(f"different: {', '.join(table.attrs['significant']) or 'nothing'}")
        if table.attrs["smallest_p_holm"] >= 0.05:
            print("so few clips can't show a difference, whatever it is: give more of them")
        stem = "comparison"
    else:
        table = batch_analyze_frequencies(path, options.output_dir, progress, rates_hz)
        print(table.set_index("file").filter(regex="lufs|_depth$|prominence").round(3).to_string())
        stem = "analysis"
    print(f"{stem}.csv, .json and .png are in {written_to}")


def evaluate(options: Evaluation) -> None:
    """Compare a model with real clips: texture distances beside the real-to-real floor, noise of the same spectrum and
    white noise, each with its interval, and a verdict; diversity and copies beside those of real clips."""
    from ctxaudio.evaluation import evaluate as sets
    from ctxaudio.files import writable_folder
    from ctxaudio.model.checkpoint import load_generator

    check_free(writable_folder(options.output_dir) / "evaluation.json", options.overwrite)
    generator, about = load_generator(options.model_path)
    rate = generator.config.sample_rate
    real = sets.real_sound(options.data_dir, generator.config.conditions, rate, about["context"])
    generated = sets.generated_clips(generator, options.num_samples, options.seed)
    what = f"{options.num_samples} clips a condition of {options.model_path}, without modulation"
    evaluation = sets.evaluate(real, generated, rate, options.seed)
    print(f"{what}, beside {real.description}, at {rate} Hz")
    figures = evaluation.table.set_index("condition").drop(columns="verdict").astype(float)
    print(figures.T.to_string(na_rep="-", float_format="{:.2f}".format))
    print("kernel: distance to real clips, x1000; _low, _high: interval of 90 % over clips")
    for row in evaluation.table.to_dict("records")[:-1]:
        print(f"{row['condition']}: {row['verdict']}")
    for copy in evaluation.copies:
        print("copy? {clip} follows {training_clip} in time (correlation {correlation:.2f})".format(**copy))
    for note in evaluation.notes:
        print(f"note: {note}")
    about_sets = {"generated": what, "real": real.description, "sample_rate": rate, "seed": options.seed}
    evaluation.write(options.output_dir, about_sets)
    print(f"evaluation.json, .csv and .png are in {options.output_dir}")
    print(f"verdict: {evaluation.verdict}")
