"""Notes of sampled instruments: the MIDI file by hand, spectra of known tones, disjoint pools."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from cdg_torch.lab.train.data import notes
from cdg_torch.lab.train.data.notes import BANDS, DEFAULT_FONT, RATE, Notes

PERIOD = 420 * RATE // 1000


def test_a_midi_file_by_hand() -> None:
    one = Notes(np.array([73]), np.array([60.25]), np.array([100]))
    wheel = round(8192 * 1.125)
    track = bytes([0, 0xFF, 0x51, 3, 0x0F, 0x42, 0x40, 0, 0xC0, 73])
    track += bytes([0, 0xE0, wheel % 128, wheel // 128, 0, 0x90, 60, 100])
    # 400 ticks are written as 3·128 + 16.
    track += bytes([0x83, 0x10, 0x80, 60, 0, 0, 0xB0, 120, 0, 20, 0xB0, 120, 0, 0, 0xFF, 0x2F, 0])
    header = b"MThd\x00\x00\x00\x06\x00\x00\x00\x01\x03\xe8MTrk" + bytes([0, 0, 0, len(track)])
    assert notes.midi_file(one) == header + track


def tone(pitch: float, loudness: float, count: int = 1) -> np.ndarray:
    frequency = 440 * 2 ** ((pitch - 69) / 12)
    return loudness * np.sin(2 * np.pi * frequency * np.arange(count * PERIOD) / RATE)


def test_the_spectrum_of_a_tone_is_highest_at_its_pitch_and_does_not_tell_how_loud() -> None:
    # Band 84 is three octaves and a half above 55 Hz, halfway between two keys 24 to the octave.
    pitch = 33 + 42
    found = notes.spectra(tone(pitch, 0.1), 1)
    assert found.shape == (1, len(BANDS))
    assert int(found.argmax()) == 84
    assert BANDS[84] == pytest.approx(440 * 2 ** ((pitch - 69) / 12))
    assert np.allclose(found, notes.spectra(tone(pitch, 0.5), 1))
    assert np.ptp(notes.spectra(np.zeros(PERIOD), 1)) == 0


def test_each_note_has_a_frame_of_its_own_without_its_beginning_and_end() -> None:
    sound = np.concatenate([tone(57, 0.3), tone(69, 0.3), np.zeros(PERIOD)])
    found = notes.spectra(sound, 3)
    assert found[:2].argmax(1).tolist() == [48, 72]
    assert np.allclose(found[0], notes.spectra(tone(57, 0.3), 1)[0])
    struck = sound.copy()
    struck[: RATE // 10] = 1.0
    struck[RATE // 10 + 4096 : PERIOD] = 1.0
    assert np.array_equal(notes.spectra(struck, 3), found)


def test_silent_notes_are_left_out_with_their_pitch(monkeypatch) -> None:
    given = Notes(np.zeros(66, int), np.linspace(40, 80, 66), np.full(66, 100))
    sound = [tone(pitch, 0.1 * (i % 11 != 3)) for i, pitch in enumerate(given.pitches)]
    monkeypatch.setattr(notes, "draw_notes", lambda *_: given)
    monkeypatch.setattr(notes, "play", lambda *_: np.concatenate(sound))
    notes.note_pools.cache_clear()
    spectra, pitches = notes.note_pools("any.sf2", 36.0, 84.0, (60, 60, 60))[0]
    notes.note_pools.cache_clear()
    assert (np.ptp(spectra, axis=1) > 0).all()
    assert np.array_equal(pitches, np.delete(given.pitches, np.arange(3, 66, 11)))


def test_what_is_missing_is_named(monkeypatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(FileNotFoundError, match="the command fluidsynth is missing; install both"):
        notes.play(b"", DEFAULT_FONT)
    monkeypatch.setattr(shutil, "which", lambda _: "/bin/true")
    with pytest.raises(FileNotFoundError, match=r"none\.sf2 is missing"):
        notes.play(b"", "none.sf2")


@pytest.mark.skipif(
    shutil.which("fluidsynth") is None or not Path(DEFAULT_FONT).is_file(),
    reason="needs Debian's fluidsynth and fluid-soundfont-gm",
)
def test_instruments_are_heard_at_their_pitch_and_in_one_pool_alone(monkeypatch) -> None:
    programs = []
    monkeypatch.setattr(
        notes,
        "draw_notes",
        lambda own, *rest, draw=notes.draw_notes: programs.append(set(own)) or draw(own, *rest),
    )
    notes.note_pools.cache_clear()
    pools = notes.note_pools(DEFAULT_FONT, 36.0, 84.0, (60, 30, 40))
    notes.note_pools.cache_clear()
    assert [len(pitches) for _, pitches in pools] == [60, 30, 40]
    assert sum(map(len, programs)) == len(set().union(*programs)) == 76
    spectra, pitches = (np.concatenate(both) for both in zip(*pools, strict=True))
    # The strongest band is a partial: the pitch, an octave, a fifth above one, two octaves.
    partial = BANDS[spectra.argmax(1)] / (440 * 2 ** ((pitches - 69) / 12))
    nearest = np.maximum(np.round(partial), 1)
    assert (np.abs(1200 * np.log2(partial / nearest)) < 50).mean() > 0.9
