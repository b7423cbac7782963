"""Playback: sessions as leases on screens, resume positions, history."""
