#!/usr/bin/env python3
"""Writes numerals.json: the numbers from 1 to 99 in words, by num2words 0.5.14."""
import json
import pathlib

from num2words import num2words

LANGUAGES = {"English": "en", "German": "de", "French": "fr", "Spanish": "es", "Italian": "it"}
out = {name: [num2words(n, lang=code) for n in range(1, 100)] for name, code in LANGUAGES.items()}
pathlib.Path(__file__).with_name("numerals.json").write_text(
    "{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in out.items()) + "\n}\n")
