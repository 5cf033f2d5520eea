from __future__ import annotations

from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ctxaudio.data.fsd50k import Clip
from ctxaudio.fetch.clips import Candidate, in_order_of_preference


def clip(clip_id: str, split: str, uploader: str) -> Clip:
    return Clip(clip_id, Path(f"{clip_id}.wav"), ("Rain",), split, "", uploader, "")


CANDIDATES = st.lists(
    st.tuples(st.integers(0, 4), st.sampled_from("abc "), st.sampled_from(["train", "val"])), max_size=60
)


def ordered(rows: list[tuple[int, str, str]], seed: int) -> list[Candidate]:
    every = [
        Candidate(clip(str(i), split, who.strip()), condition, "", 1000, str(i))
        for i, (condition, who, split) in enumerate(rows)
    ]
    return in_order_of_preference(every, seed)


def queues_of(rows: list[tuple[int, str, str]], seed: int) -> list[list[Candidate]]:
    return [[one for one in ordered(rows, seed) if one.condition == c] for c in range(5)]


@given(CANDIDATES, st.integers(1, 70), st.integers(0, 3))
def test_a_plan_is_balanced_the_same_each_time_and_begins_every_longer_plan(
    rows: list[tuple[int, str, str]], max_clips: int, seed: int
) -> None:
    queues = queues_of(rows, seed)
    plan = ordered(rows, seed)[:max_clips]
    assert len(plan) == min(max_clips, len(rows)) == len(set(plan))
    assert plan == ordered(rows, seed)[:max_clips]
    count = Counter(candidate.condition for candidate in plan)
    most = max(count.values(), default=0)
    assert all(count[c] >= most - 1 for c, queue in enumerate(queues) if len(queue) > count[c])
    assert [in_order_of_preference(queue, seed) for queue in queues] == queues


@given(CANDIDATES, st.integers(0, 3))
def test_every_beginning_of_a_queue_has_its_share_of_val_and_many_uploaders(
    rows: list[tuple[int, str, str]], seed: int
) -> None:
    for queue in queues_of(rows, seed):
        in_val = [candidate.clip.split == "val" for candidate in queue]
        for n in range(1, len(queue) + 1):
            assert sum(in_val[:n]) == n * sum(in_val) // len(queue)
        for split in ("train", "val"):
            turns = Counter[str]()
            seen = []
            for candidate in queue:
                if candidate.clip.split == split and candidate.clip.uploader:
                    turns[candidate.clip.uploader] += 1
                    seen.append(turns[candidate.clip.uploader])
            if len({c.clip.split for c in queue}) == 1:
                assert seen == sorted(seen), "nobody's second clip before another's first"


def test_another_seed_chooses_other_clips() -> None:
    rows = [(0, " ", "train")] * 40
    chosen = {tuple(c.sha256 for c in ordered(rows, seed)[:10]) for seed in range(5)}
    assert len(chosen) == 5
