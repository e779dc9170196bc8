"""The frame of the payload: records on a private copy of stdout, modules from memory, each section guarded."""

from __future__ import annotations

import json
import os
import sys
import time
from importlib import import_module
from importlib.machinery import ModuleSpec

PACKAGE = "envkit_target"


class Sources:
    """Imports the modules of the payload, whose text came with the program."""

    def __init__(self, sources):
        self.sources = sources

    def find_spec(self, name, path=None, target=None):
        package, _, stem = name.rpartition(".")
        if name == PACKAGE:
            return ModuleSpec(name, self, is_package=True)
        return ModuleSpec(name, self) if package == PACKAGE and stem in self.sources else None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        stem = module.__name__.rpartition(".")[2]
        if stem in self.sources:
            exec(compile(self.sources[stem], f"<envkit/target/{stem}.py>", "exec"), module.__dict__)
