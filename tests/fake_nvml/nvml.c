/* A libnvidia-ml.so.1 for tests: it answers from the text file that FAKE_NVML_STATE names, read anew at each call.
 *
 *   device UUID MEMORY_MIB UTILIZATION_PERCENT STATE NAME...     STATE is ok, lost or mig; for GPU-HOSTNAME it is this host's
 *   slice DEVICE_INDEX UUID MEMORY_MIB PROFILE                   of a device in state mig; slice N is device 64 + N
 *   process DEVICE_INDEX PID MEMORY_MIB [mps]                    one that computes through MPS is on both lists
 *   reserved DEVICE_INDEX MEMORY_MIB                             what the driver keeps for itself
 *   busy DEVICE_INDEX PID PERCENT
 *   energy DEVICE_INDEX MILLIJOULES
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUCCESS = 0, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7, DRIVER_NOT_LOADED = 9, GPU_IS_LOST = 15 };
enum { MOST_DEVICES = 64 };

typedef struct { char uuid[96], name[96], state[8]; unsigned long long memory_mib; unsigned utilization; } Device;
typedef struct { unsigned long long total, free, used; } Memory;
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } MemoryV2;
typedef struct { unsigned gpu, memory; } Utilization;
typedef struct { unsigned pid; unsigned long long at; unsigned percent, memory, encoder, decoder; } Busy;
typedef struct { unsigned pid; unsigned long long used; unsigned gpu_instance, compute_instance; } Process;

static char handles[2 * MOST_DEVICES];

static FILE *open_state(void) {
  const char *path = getenv("FAKE_NVML_STATE");
  return path ? fopen(path, "r") : NULL;
}

static int read_slice(unsigned wanted, Device *device, unsigned *parent) {
  FILE *file = open_state();
  char line[512], profile[32];
  unsigned index = 0, of = 0;
  int found = 0;
  if (!file) return 0;
  while (!found && fgets(line, sizeof line, file)) {
    if (sscanf(line, "slice %u %95s %llu %31s", &of, device->uuid, &device->memory_mib, profile) == 4)
      found = index++ == wanted;
  }
  fclose(file);
  snprintf(device->name, sizeof device->name, "NVIDIA A100-SXM4-80GB MIG %s", profile);
  strcpy(device->state, "ok");
  device->utilization = 0;
  if (parent) *parent = of;
  return found;
}

static int read_device(unsigned wanted, Device *device) {
  FILE *file = open_state();
  char line[512];
  unsigned index = 0;
  int found = 0;
  if (wanted >= MOST_DEVICES) return read_slice(wanted - MOST_DEVICES, device, NULL);
  if (!file) return 0;
  while (!found && fgets(line, sizeof line, file)) {
    if (sscanf(line, "device %95s %llu %u %7s %95[^\n]", device->uuid, &device->memory_mib, &device->utilization,
               device->state, device->name) == 5)
      found = index++ == wanted;
  }
  fclose(file);
  if (!strcmp(device->uuid, "GPU-HOSTNAME")) gethostname(device->uuid + 4, sizeof device->uuid - 4);
  return found;
}

static unsigned index_of(void *handle) { return (unsigned)((char *)handle - handles); }

static int known(void *handle, Device *device) {
  if (!read_device(index_of(handle), device)) return INVALID_ARGUMENT;
  return strcmp(device->state, "lost") ? SUCCESS : GPU_IS_LOST;
}

int nvmlInitWithFlags(unsigned flags) {
  FILE *file = open_state();
  (void)flags;
  if (!file) return DRIVER_NOT_LOADED;
  fclose(file);
  return SUCCESS;
}

int nvmlShutdown(void) { return SUCCESS; }

const char *nvmlErrorString(int code) { return code == GPU_IS_LOST ? "GPU is lost" : "fake NVML error"; }

int nvmlDeviceGetCount_v2(unsigned *count) {
  Device device;
  for (*count = 0; read_device(*count, &device); ++*count) {}
  return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) {
  Device device;
  if (index >= MOST_DEVICES || !read_device(index, &device)) return INVALID_ARGUMENT;
  *handle = &handles[index];
  return SUCCESS;
}

int nvmlDeviceGetUUID(void *handle, char *text, unsigned length) {
  Device device;
  int code = known(handle, &device);
  if (code == SUCCESS) snprintf(text, length, "%s", device.uuid);
  return code;
}

int nvmlDeviceGetName(void *handle, char *text, unsigned length) {
  Device device;
  int code = known(handle, &device);
  if (code == SUCCESS) snprintf(text, length, "%s", device.name);
  return code;
}

static int list_processes(void *handle, int clients_only, unsigned *count, Process *processes) {
  FILE *file = open_state();
  char line[512], how[8];
  unsigned room = *count, index, pid;
  unsigned long long mib;
  if (!file) return INVALID_ARGUMENT;
  *count = 0;
  while (fgets(line, sizeof line, file)) {
    int read = sscanf(line, "process %u %u %llu %7s", &index, &pid, &mib, how);
    if (read < 3 + clients_only || index != index_of(handle)) continue;
    if (*count < room && processes) processes[*count] = (Process){pid, mib << 20, 0xFFFFFFFFu, 0xFFFFFFFFu};
    ++*count;
  }
  fclose(file);
  return *count > room ? INSUFFICIENT_SIZE : SUCCESS;
}

static unsigned long long reserved(void *handle) {
  FILE *file = open_state();
  char line[512];
  unsigned index;
  unsigned long long mib, found = 0;
  while (file && fgets(line, sizeof line, file))
    if (sscanf(line, "reserved %u %llu", &index, &mib) == 2 && index == index_of(handle)) found = mib << 20;
  if (file) fclose(file);
  return found;
}

int nvmlDeviceGetMemoryInfo_v2(void *handle, MemoryV2 *memory) {
  Device device;
  int code = known(handle, &device);
  Process processes[256];
  unsigned count = 256, each;
  if (code != SUCCESS) return code;
  memory->total = device.memory_mib << 20;
  memory->reserved = reserved(handle);
  memory->used = 0;
  list_processes(handle, 0, &count, processes);
  for (each = 0; each < count && each < 256; ++each) memory->used += processes[each].used;
  memory->free = memory->total - memory->reserved - memory->used;
  return SUCCESS;
}

int nvmlDeviceGetMemoryInfo(void *handle, Memory *memory) {
  MemoryV2 newer;
  int code = nvmlDeviceGetMemoryInfo_v2(handle, &newer);
  if (code == SUCCESS) *memory = (Memory){newer.total, newer.free, newer.used + newer.reserved};
  return code;
}

int nvmlDeviceGetUtilizationRates(void *handle, Utilization *rates) {
  Device device;
  int code = known(handle, &device);
  if (index_of(handle) >= MOST_DEVICES) return NOT_SUPPORTED;
  if (code == SUCCESS) *rates = (Utilization){device.utilization, 0};
  return code;
}

int nvmlDeviceGetProcessUtilization(void *handle, Busy *samples, unsigned *count, unsigned long long since) {
  FILE *file = open_state();
  char line[512];
  unsigned index, pid, percent, room = samples ? *count : 0;
  *count = 0;
  if (!file || index_of(handle) >= MOST_DEVICES) return NOT_SUPPORTED;
  while (fgets(line, sizeof line, file)) {
    if (sscanf(line, "busy %u %u %u", &index, &pid, &percent) != 3 || index != index_of(handle)) continue;
    if (*count < room) samples[*count] = (Busy){pid, since + 1, percent, 0, 0, 0};
    ++*count;
  }
  fclose(file);
  return *count > room ? INSUFFICIENT_SIZE : SUCCESS;
}

int nvmlDeviceGetTotalEnergyConsumption(void *handle, unsigned long long *millijoules) {
  FILE *file = open_state();
  char line[512];
  unsigned index;
  int code = NOT_SUPPORTED;
  if (!file) return NOT_SUPPORTED;
  while (fgets(line, sizeof line, file))
    if (sscanf(line, "energy %u %llu", &index, millijoules) == 2 && index == index_of(handle)) code = SUCCESS;
  fclose(file);
  return code;
}

int nvmlDeviceGetComputeRunningProcesses_v3(void *handle, unsigned *count, Process *processes) {
  return list_processes(handle, 0, count, processes);
}

int nvmlDeviceGetMPSComputeRunningProcesses_v3(void *handle, unsigned *count, Process *processes) {
  return list_processes(handle, 1, count, processes);
}

int nvmlDeviceGetGraphicsRunningProcesses_v3(void *handle, unsigned *count, Process *processes) {
  (void)handle, (void)processes;
  *count = 0;
  return SUCCESS;
}

int nvmlDeviceGetMigMode(void *handle, unsigned *current, unsigned *pending) {
  Device device;
  int code = known(handle, &device);
  if (code == SUCCESS) *current = *pending = !strcmp(device.state, "mig");
  return code;
}

int nvmlDeviceGetMaxMigDeviceCount(void *handle, unsigned *count) {
  (void)handle;
  *count = 7;
  return SUCCESS;
}

int nvmlDeviceGetMigDeviceHandleByIndex(void *handle, unsigned index, void **slice) {
  Device device;
  unsigned number, parent, of_device = 0;
  for (number = 0; read_slice(number, &device, &parent); ++number) {
    if (parent == index_of(handle) && of_device++ == index) {
      *slice = &handles[MOST_DEVICES + number];
      return SUCCESS;
    }
  }
  return NOT_FOUND;
}
