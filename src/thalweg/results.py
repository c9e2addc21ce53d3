"""Results as plain labelled data; their schema is checked, and they are saved and loaded, in modules of their own."""

from .checks import check
from .schema import FORMAT, stamp
from .storage import load, save, writable, write_aside

__all__ = ["FORMAT", "check", "load", "save", "stamp", "writable", "write_aside"]
