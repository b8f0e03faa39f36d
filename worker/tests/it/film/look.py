"""Makes music, and looks at films, by FFmpeg.

look.py tone FILE CODEC RATE SECONDS: a tone of 440 Hz in two channels; the name says the container
look.py film FILE POINTS: what is in a film, and its pixels at [[FRAME, X, Y], ...], as JSON
look.py packets FILE: the sizes and checksums of a file's packets of sound, as JSON
look.py picture FILE FRAME: the pixels of a frame as a PPM file on standard output
"""

import array
import json
import math
import sys
import zlib

import av


def tone(path, codec, rate, seconds):
    rate, n = int(rate), int(float(seconds) * int(rate))
    samples = array.array("h")
    for nth in range(n):
        samples.extend([int(12000 * math.sin(2 * math.pi * 440 * nth / rate))] * 2)
    with av.open(path, "w") as out:
        stream = out.add_stream(codec, rate=rate)
        stream.layout = "stereo"
        # FFmpeg's own encoder of Vorbis calls itself an experiment.
        stream.codec_context.options = {"strict": "experimental"}
        resampler = av.AudioResampler(stream.format.name, "stereo", rate, stream.frame_size or 1024)
        frame = av.AudioFrame(format="s16", layout="stereo", samples=n)
        frame.sample_rate = rate
        frame.planes[0].update(samples.tobytes())
        for part in resampler.resample(frame) + resampler.resample(None):
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))


def colour(frame, x, y):
    frame = frame.reformat(format="rgb24")
    plane = frame.planes[0]
    at = y * plane.line_size + 3 * x
    return list(bytes(plane)[at : at + 3])


def film(path, points):
    points = json.loads(points)
    with av.open(path) as opened:
        pictures = opened.streams.video[0]
        said = {
            "seconds": opened.duration / av.time_base,
            "codec": pictures.codec_context.name,
            "size": [pictures.width, pictures.height],
            "fps": float(pictures.average_rate),
            "matrix": pictures.codec_context.colorspace,
            "said_frames": pictures.frames,
        }
        keys, times, pixels = [], [], {}
        for nth, frame in enumerate(opened.decode(pictures)):
            times.append(float(frame.time))
            keys += [nth] if frame.key_frame else []
            for point in points:
                if point[0] == nth:
                    pixels[points.index(point)] = colour(frame, point[1], point[2])
        said["times"], said["keys"] = times, keys
        said["pixels"] = [pixels.get(nth) for nth in range(len(points))]
    with av.open(path) as opened:
        sounds = opened.streams.audio
        if sounds:
            said["sound"] = sound(opened, sounds[0])
    return said


def sound(opened, stream):
    heard, end = [], 0.0
    resampler = av.AudioResampler("flt", "mono")
    rate = None
    for frame in opened.decode(stream):
        rate = frame.sample_rate
        end = float(frame.time) + frame.samples / rate
        for part in resampler.resample(frame):
            heard.extend(array.array("f", bytes(part.planes[0])[: 4 * part.samples]))
    tenth = rate // 10
    loudness = lambda part: math.sqrt(sum(s * s for s in part) / max(1, len(part)))
    return {
        "codec": stream.codec_context.name,
        "channels": stream.channels,
        "seconds": float(stream.duration * stream.time_base),
        "heard_until": end,
        "loudness": [loudness(heard[at : at + tenth]) for at in range(0, len(heard), tenth)],
    }


def packets(path):
    with av.open(path) as opened:
        stream = opened.streams.audio[0]
        taken = (bytes(packet) for packet in opened.demux(stream) if packet.size)
        # ADTS has a head of seven bytes before each.
        taken = (packet[7 if path.endswith(".aac") else 0 :] for packet in taken)
        return [[len(packet), zlib.crc32(packet)] for packet in taken]


def picture(path, nth):
    with av.open(path) as opened:
        for at, frame in enumerate(opened.decode(video=0)):
            if at == int(nth):
                frame = frame.reformat(format="rgb24")
                plane = frame.planes[0]
                out = sys.stdout.buffer
                out.write(b"P6 %d %d 255\n" % (frame.width, frame.height))
                for row in range(frame.height):
                    start = row * plane.line_size
                    out.write(bytes(plane)[start : start + 3 * frame.width])


if __name__ == "__main__":
    told = {"tone": tone, "film": film, "packets": packets, "picture": picture}[sys.argv[1]](*sys.argv[2:])
    if told is not None:
        print(json.dumps(told))
