/* A stand-in for NVML: two healthy GPUs, unless the script named by NVML_SCRIPT says otherwise.
 *
 * A line of the script is "function gpu answer [value]": gpu is an index or * (any, and functions without a GPU);
 * answer is NVML's return code, "never" (it does not return) or "abort" (it kills the caller); value replaces the
 * usual one. The last line that fits counts. -DOLD_DRIVER leaves out what drivers before 510 do not export.
 * A handle is the index plus one; a call with the handle of a failed look-up aborts, as real drivers crash then.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
typedef unsigned int uint;
typedef unsigned long long ull;
typedef long handle;

enum { SUCCESS = 0, INVALID_ARGUMENT = 2, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7, ANY = -1 };

static int play(const char *function, long gpu, char *value) {
    char line[256], name[96], where[16], answer[16], found[16] = "0", text[128];
    FILE *script = fopen(getenv("NVML_SCRIPT") ? getenv("NVML_SCRIPT") : "", "r");
    value[0] = 0;
    while (script && fgets(line, sizeof line, script)) {
        text[0] = 0;
        if (sscanf(line, "%95s %15s %15s %127[^\n]", name, where, answer, text) < 3) continue;
        if (strcmp(name, function) || (strcmp(where, "*") && atol(where) != gpu)) continue;
        strcpy(found, answer);
        strcpy(value, text);
    }
    if (script) fclose(script);
    if (!strcmp(found, "never")) for (;;) pause();
    if (!strcmp(found, "abort")) abort();
    return atoi(found);
}

static long index_of(handle gpu) {
    if (gpu <= 0) abort();
    return gpu - 1;
}

static ull number(const char *value, ull usual) { return value[0] ? strtoull(value, 0, 0) : usual; }

#define PLAY(function, gpu) \
    char value[128]; \
    int code = play(#function, gpu, value); \
    if (code) return code

#define NUMBER(function, usual) \
    int function(handle gpu, uint *out) { PLAY(function, index_of(gpu)); *out = number(value, usual); return SUCCESS; }

#define LONG(function, usual) \
    int function(handle gpu, ull *out) { PLAY(function, index_of(gpu)); *out = number(value, usual); return SUCCESS; }

#define NUMBER_OF(function, usual) \
    int function(handle gpu, uint what, uint *out) { \
        (void)what; PLAY(function, index_of(gpu)); *out = number(value, usual); return SUCCESS; }

#define TEXT(function, usual) \
    int function(handle gpu, char *out, uint size) { \
        PLAY(function, index_of(gpu)); \
        if (value[0]) snprintf(out, size, "%s", value); else snprintf(out, size, usual, index_of(gpu)); \
        return SUCCESS; }

#define SWITCH(function, usual) \
    int function(handle gpu, uint *current, uint *pending) { \
        PLAY(function, index_of(gpu)); *current = *pending = number(value, usual); sscanf(value, "%*u %u", pending); return SUCCESS; }

int nvmlInitWithFlags(uint flags) { (void)flags; PLAY(nvmlInitWithFlags, ANY); return SUCCESS; }

const char *nvmlErrorString(int code) { (void)code; return "as the stand-in says"; }

int nvmlSystemGetDriverVersion(char *out, uint size) {
    PLAY(nvmlSystemGetDriverVersion, ANY);
    snprintf(out, size, "%s", value[0] ? value : "570.133.20");
    return SUCCESS;
}

int nvmlDeviceGetCount_v2(uint *out) { PLAY(nvmlDeviceGetCount_v2, ANY); *out = number(value, 2); return SUCCESS; }

int nvmlDeviceGetHandleByIndex_v2(uint index, handle *out) {
    *out = 0;
    PLAY(nvmlDeviceGetHandleByIndex_v2, index);
    *out = index + 1;
    return SUCCESS;
}

TEXT(nvmlDeviceGetName, "Stand-in %ld")
TEXT(nvmlDeviceGetUUID, "GPU-00000000-0000-0000-0000-00000000000%ld")

typedef struct { char legacy[16]; uint domain, bus, device, id, subsystem; char address[32]; } pci_info;

int nvmlDeviceGetPciInfo_v3(handle gpu, pci_info *out) {
    PLAY(nvmlDeviceGetPciInfo_v3, index_of(gpu));
    memset(out, 0, sizeof *out);
    snprintf(out->address, sizeof out->address, "00000000:%02lX:00.0", 0x1A + index_of(gpu));
    return SUCCESS;
}

int nvmlDeviceGetCudaComputeCapability(handle gpu, int *major, int *minor) {
    PLAY(nvmlDeviceGetCudaComputeCapability, index_of(gpu));
    *major = 8;
    *minor = 6;
    return SUCCESS;
}

int nvmlDeviceGetMemoryInfo(handle gpu, ull *total_free_used) {
    PLAY(nvmlDeviceGetMemoryInfo, index_of(gpu));
    total_free_used[0] = number(value, 24ULL << 30);
    total_free_used[1] = 20ULL << 30;
    total_free_used[2] = 4ULL << 30;
    return SUCCESS;
}

SWITCH(nvmlDeviceGetEccMode, 1)

int nvmlDeviceGetTotalEccErrors(handle gpu, uint kind, uint counter, ull *out) {
    (void)kind, (void)counter;
    PLAY(nvmlDeviceGetTotalEccErrors, index_of(gpu));
    *out = number(value, 0);
    return SUCCESS;
}

NUMBER_OF(nvmlDeviceGetTemperature, 41)
NUMBER_OF(nvmlDeviceGetTemperatureThreshold, 98)
NUMBER(nvmlDeviceGetPowerUsage, 61500)
NUMBER(nvmlDeviceGetEnforcedPowerLimit, 150000)
NUMBER(nvmlDeviceGetPowerManagementDefaultLimit, 150000)
NUMBER_OF(nvmlDeviceGetClockInfo, 1695)
NUMBER_OF(nvmlDeviceGetMaxClockInfo, 6251)
NUMBER(nvmlDeviceGetCurrPcieLinkGeneration, 1)
NUMBER(nvmlDeviceGetMaxPcieLinkGeneration, 4)
NUMBER(nvmlDeviceGetCurrPcieLinkWidth, 8)
NUMBER(nvmlDeviceGetMaxPcieLinkWidth, 16)
NUMBER(nvmlDeviceGetPersistenceMode, 1)
NUMBER(nvmlDeviceGetComputeMode, 0)
NUMBER(nvmlDeviceGetPerformanceState, 8)
NUMBER(nvmlDeviceGetFanSpeed, 30)
NUMBER(nvmlDeviceGetPcieReplayCounter, 7)
NUMBER(nvmlDeviceGetDisplayActive, 0)
NUMBER(nvmlDeviceGetRetiredPagesPendingStatus, 0)
TEXT(nvmlDeviceGetVbiosVersion, "96.00.74.00.0%ld")

int nvmlDeviceGetRetiredPages(handle gpu, uint cause, uint *count, ull *out) {
    (void)cause;
    PLAY(nvmlDeviceGetRetiredPages, index_of(gpu));
    uint there = number(value, 0), fits = *count >= there;
    *count = there;
    if (fits && out) memset(out, 0, there * sizeof *out);
    return fits ? SUCCESS : INSUFFICIENT_SIZE;
}

int nvmlDeviceGetBAR1MemoryInfo(handle gpu, ull *total_free_used) {
    PLAY(nvmlDeviceGetBAR1MemoryInfo, index_of(gpu));
    total_free_used[0] = total_free_used[1] = number(value, 32ULL << 30);
    return SUCCESS;
}

int nvmlDeviceGetUtilizationRates(handle gpu, uint *gpu_memory) {
    PLAY(nvmlDeviceGetUtilizationRates, index_of(gpu));
    gpu_memory[0] = number(value, 37);
    gpu_memory[1] = 5;
    return SUCCESS;
}

LONG(nvmlDeviceGetCurrentClocksThrottleReasons, 0x1)

#ifndef OLD_DRIVER
int nvmlSystemGetCudaDriverVersion_v2(int *out) {
    PLAY(nvmlSystemGetCudaDriverVersion_v2, ANY);
    *out = number(value, 12080);
    return SUCCESS;
}

LONG(nvmlDeviceGetCurrentClocksEventReasons, 0x1)

LONG(nvmlDeviceGetVirtualizationMode, 1)

/* The value is four numbers: correctable, uncorrectable, pending, failure. */
int nvmlDeviceGetRemappedRows(handle gpu, uint *correctable, uint *uncorrectable, uint *pending, uint *failure) {
    PLAY(nvmlDeviceGetRemappedRows, index_of(gpu));
    *correctable = *uncorrectable = *pending = *failure = 0;
    sscanf(value, "%u %u %u %u", correctable, uncorrectable, pending, failure);
    return SUCCESS;
}

typedef struct { uint id, scope; long long at, latency; uint type; int code; ull value; } field;

/* The value is of the field asked for; the answer "0" with no value is 0 for recovery and 44 for a temperature. */
int nvmlDeviceGetFieldValues(handle gpu, int count, field *out) {
    PLAY(nvmlDeviceGetFieldValues, index_of(gpu));
    for (field *f = out; f < out + count; f++) f->code = SUCCESS, f->value = number(value, f->id == 82 ? 44 : 0);
    return SUCCESS;
}

typedef struct { uint version; ull counters[11]; uint exceeded; } sram;

int nvmlDeviceGetSramEccErrorStatus(handle gpu, sram *out) {
    PLAY(nvmlDeviceGetSramEccErrorStatus, index_of(gpu));
    out->exceeded = number(value, 0);
    return SUCCESS;
}

typedef struct { uint version; unsigned char cluster[16]; int status; uint clique; unsigned char state; uint health; } fabric;

/* The value is two numbers: state, status. */
int nvmlDeviceGetGpuFabricInfoV(handle gpu, fabric *out) {
    uint state = 3;
    PLAY(nvmlDeviceGetGpuFabricInfoV, index_of(gpu));
    out->status = SUCCESS;
    sscanf(value, "%u %d", &state, &out->status);
    out->state = state;
    return SUCCESS;
}

/* Two links, the value says whether they are active. */
int nvmlDeviceGetNvLinkState(handle gpu, uint link, uint *out) {
    PLAY(nvmlDeviceGetNvLinkState, index_of(gpu));
    *out = number(value, 1);
    return link < 2 ? SUCCESS : INVALID_ARGUMENT;
}

SWITCH(nvmlDeviceGetMigMode, 0)
NUMBER(nvmlDeviceGetMaxMigDeviceCount, 7)

int nvmlDeviceGetMigDeviceHandleByIndex(handle gpu, uint slot, handle *out) {
    PLAY(nvmlDeviceGetMigDeviceHandleByIndex, index_of(gpu));
    *out = 1000 + slot;
    return slot % 2 ? NOT_FOUND : SUCCESS;
}

typedef struct { uint pid; ull memory; uint gpu_instance, compute_instance; } process;

int nvmlDeviceGetComputeRunningProcesses_v3(handle gpu, uint *count, process *out) {
    PLAY(nvmlDeviceGetComputeRunningProcesses_v3, index_of(gpu));
    if (*count < 1) { *count = 1; return INSUFFICIENT_SIZE; }
    *count = 1;
    *out = (process){4242, number(value, 3ULL << 30), ~0u, ~0u};
    return SUCCESS;
}

int nvmlDeviceGetGraphicsRunningProcesses_v3(handle gpu, uint *count, process *out) {
    (void)out;
    PLAY(nvmlDeviceGetGraphicsRunningProcesses_v3, index_of(gpu));
    *count = 0;
    return SUCCESS;
}
#endif

/* Questions that stop real machines (open-gpu-kernel-modules#1239): whoever asks them ends here. */
int nvmlDeviceGetSupportedMemoryClocks(void) { abort(); }
int nvmlDeviceGetSupportedGraphicsClocks(void) { abort(); }
