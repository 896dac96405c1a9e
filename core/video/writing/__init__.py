"""Writing videos with ffmpeg: encoders, exact times, sound, and parts that are kept."""
