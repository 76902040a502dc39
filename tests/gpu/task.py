"""What tasks do with their device, through the driver's library alone: no framework, so that no cap of one counts."""

from __future__ import annotations

import ctypes
import time

MIB = 1024 * 1024
OUT_OF_MEMORY = 2
_MULTIPROCESSORS = 16
_SPIN = b"""
.version 6.3
.target sm_75
.address_size 64
.visible .entry spin(.param .u64 cycles)
{
  .reg .u64 %t<4>;
  .reg .pred %p;
  ld.param.u64 %t0, [cycles];
  mov.u64 %t1, %clock64;
again:
  mov.u64 %t2, %clock64;
  sub.u64 %t3, %t2, %t1;
  setp.lt.u64 %p, %t3, %t0;
  @%p bra again;
  ret;
}
"""


class Device:
    """The first device that this process sees."""

    def __init__(self) -> None:
        self._cuda = ctypes.CDLL("libcuda.so.1")
        self._kernel: ctypes.c_void_p | None = None
        context, self._number = ctypes.c_void_p(), ctypes.c_int()
        self._do("cuInit", 0)
        self._do("cuDeviceGet", ctypes.byref(self._number), 0)
        self._do("cuDevicePrimaryCtxRetain", ctypes.byref(context), self._number)
        self._do("cuCtxSetCurrent", context)

    @property
    def multiprocessors(self) -> int:
        """How many of them are there for this process."""
        count = ctypes.c_int()
        self._do("cuDeviceGetAttribute", ctypes.byref(count), _MULTIPROCESSORS, self._number)
        return count.value

    def take(self, mib: int) -> bool:
        """Hold this much more device memory; false where it is not given."""
        address = ctypes.c_uint64()
        code = self._cuda.cuMemAlloc_v2(ctypes.byref(address), ctypes.c_size_t(mib * MIB))
        if code not in (0, OUT_OF_MEMORY):
            raise RuntimeError(f"cuMemAlloc: CUDA error {code}")
        return code == 0

    def compute(self, cycles: int = 200_000_000) -> float:
        """Keep every multiprocessor busy for this many cycles, a tenth of a second or so; the seconds it took."""
        if self._kernel is None:
            module, self._kernel = ctypes.c_void_p(), ctypes.c_void_p()
            self._do("cuModuleLoadData", ctypes.byref(module), _SPIN)
            self._do("cuModuleGetFunction", ctypes.byref(self._kernel), module, b"spin")
        told = ctypes.c_uint64(cycles)
        arguments = (ctypes.c_void_p * 1)(ctypes.cast(ctypes.byref(told), ctypes.c_void_p))
        began = time.monotonic()
        shape = (self.multiprocessors, 1, 1, 128, 1, 1)
        self._do("cuLaunchKernel", self._kernel, *shape, 0, None, arguments, None)
        self._do("cuCtxSynchronize")
        return time.monotonic() - began

    def _do(self, call: str, *arguments: object) -> None:
        code = getattr(self._cuda, call)(*arguments)
        if code:
            raise RuntimeError(f"{call}: CUDA error {code}")
