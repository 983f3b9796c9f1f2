"""Keep big tensors' memory in the process instead of giving it back to the kernel after every call.

By default glibc maps each large block anew: a network then takes 8,000 to 90,000 page faults a patch, and a
Unet on an EfficientNet-Lite0 takes 188 ms for what it does in 115 ms without them.
"""

import ctypes
import platform

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4  # <malloc.h>
_TRIM_BYTES, _TOP_PAD_BYTES = 2**31 - 1, 256 * 2**20


def keep_memory() -> bool:
    """Tell glibc's malloc to keep freed memory; safe to call more than once.

    Returns:
        True if the setting took; False where the C library is another one (musl, macOS, Windows).
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, _TRIM_BYTES), (_M_TOP_PAD, _TOP_PAD_BYTES))
    return all(mallopt(option, value) == 1 for option, value in settings)
