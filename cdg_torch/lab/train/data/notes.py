"""Notes of sampled instruments, which FluidSynth plays: a frame of log-spectrum for each.

A note has a pitch between the keys, by the pitch wheel. Every note is cut off before the next
begins, so that a frame hears one alone.
"""

from __future__ import annotations

import functools
import shutil
import struct
import subprocess
import tempfile
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DEFAULT_FONT = "/usr/share/sounds/sf2/FluidR3_GM.sf2"
"""Where Debian's package fluid-soundfont-gm puts the sounds of the General MIDI instruments."""

RATE = 16_000
"""Samples a second."""

# Of each note: how long it sounds and what is silent after it, in milliseconds.
_LENGTH, _GAP = 400, 20
# The frame that is looked at: where it begins, in milliseconds, and its samples.
_ONSET, _FRAME = 100, 4096
# Centres of the spectrum's bands, in Hz: 24 to the octave over seven octaves.
BANDS = 55.0 * 2 ** (np.arange(168) / 24)


@dataclass(frozen=True, slots=True)
class Notes:
    """What is played: General MIDI programs from 0, pitches in keys (60 is middle C), loudness."""

    programs: NDArray[np.int64]
    pitches: Floats
    velocities: NDArray[np.int64]


def draw_notes(programs: list[int], low: float, high: float, count: int, seed: int) -> Notes:
    """Return notes of these instruments with pitches drawn evenly between two keys."""
    rng = np.random.default_rng(seed)
    return Notes(
        rng.choice(np.array(programs), count),
        rng.uniform(low, high, count),
        rng.integers(60, 128, count),
    )


def _length(value: int) -> bytes:
    """Return a number of ticks as MIDI writes it, seven bits a byte."""
    found = [value & 0x7F]
    while value := value >> 7:
        found.append(0x80 | (value & 0x7F))
    return bytes(reversed(found))


def midi_file(notes: Notes) -> bytes:
    """Return a MIDI file that plays the notes one after the other, a tick being a millisecond."""
    track = bytearray(b"\x00\xff\x51\x03" + (1_000_000).to_bytes(3, "big"))
    for program, pitch, velocity in zip(
        notes.programs.tolist(), notes.pitches.tolist(), notes.velocities.tolist(), strict=True
    ):
        key = round(pitch)
        # The wheel reaches two keys up and down.
        wheel = round(8192 * (1 + (pitch - key) / 2))
        track += bytes([0, 0xC0, program])
        track += bytes([0, 0xE0, wheel & 0x7F, wheel >> 7])
        track += bytes([0, 0x90, key, velocity])
        track += _length(_LENGTH) + bytes([0x80, key, 0])
        track += bytes([0, 0xB0, 120, 0])  # all sound off
        track += _length(_GAP) + bytes([0xB0, 120, 0])
    track += b"\x00\xff\x2f\x00"
    header = b"MThd" + struct.pack(">IHHH", 6, 0, 1, 1000)
    return header + b"MTrk" + struct.pack(">I", len(track)) + bytes(track)


def play(midi: bytes, font: str) -> Floats:
    """Return the sound of a MIDI file, one channel, without reverberation or chorus.

    Raises
    ------
    FileNotFoundError
        If FluidSynth or the font is not there.
    """
    command = shutil.which("fluidsynth")
    if command is None or not Path(font).is_file():
        lacking = "the command fluidsynth" if command is None else font
        msg = (
            f"{lacking} is missing; install both (apt-get install fluidsynth fluid-soundfont-gm), "
            "or name another SF2 file in the option font"
        )
        raise FileNotFoundError(msg)
    with tempfile.TemporaryDirectory() as folder:
        score, sound = Path(folder) / "notes.mid", Path(folder) / "notes.wav"
        score.write_bytes(midi)
        options = ["-ni", "-q", "-R", "0", "-C", "0", "-g", "0.5", "-r", str(RATE)]
        subprocess.run(
            [command, *options, "-F", str(sound), font, str(score)], check=True, capture_output=True
        )
        with wave.open(str(sound)) as file:
            raw = np.frombuffer(file.readframes(file.getnframes()), "<i2")
            return raw.reshape(-1, file.getnchannels()).mean(1) / 32768


def spectra(sound: Floats, count: int) -> Floats:
    """Return the log-spectra of so many notes that follow each other: (count, bands).

    Magnitudes are over their own mean, so that loudness does not count.
    """
    starts = (np.arange(count) * (_LENGTH + _GAP) + _ONSET) * RATE // 1000
    frames = sound[starts[:, None] + np.arange(_FRAME)] * np.hanning(_FRAME)
    magnitude = np.abs(np.fft.rfft(frames, axis=1))[:, 1:]
    at = np.log2(np.arange(1, _FRAME // 2 + 1) * RATE / _FRAME)
    centre = np.log2(BANDS)
    # A band is half a quarter tone wide, or what the frame can tell apart.
    width = np.maximum(1 / 48, np.log2(1 + RATE / _FRAME / BANDS) / 2)
    weights = np.exp(-0.5 * ((at - centre[:, None]) / width[:, None]) ** 2)
    bands = magnitude @ (weights / weights.sum(1, keepdims=True)).T
    return np.log10(bands / np.maximum(bands.mean(1, keepdims=True), 1e-9) + 1e-2)


@functools.lru_cache(maxsize=1)
def note_pools(
    font: str, low: float, high: float, sizes: tuple[int, int, int]
) -> tuple[tuple[Floats, Floats], ...]:
    """Return spectra and pitches for training, validation and test: no two share an instrument.

    Instruments are the General MIDI programs that hold a pitch, 0 to 79 without the trembling and
    plucked strings, timpani and orchestra hit; of every four, two are for training. Notes that
    an instrument is too low to play are silent, and left out.
    """
    chosen = [program for program in range(80) if program not in {44, 45, 47, 55}]
    parts = [chosen[0::4] + chosen[1::4], chosen[2::4], chosen[3::4]]
    pools = []
    for place, (programs, count) in enumerate(zip(parts, sizes, strict=True)):
        more = count + count // 10
        notes = draw_notes(programs, low, high, more, 1_000_001 + place)
        found = spectra(play(midi_file(notes), font), more)
        heard = np.ptp(found, axis=1) > 0
        pools.append((found[heard][:count], notes.pitches[heard][:count]))
    return tuple(pools)
