/* NVML itself, and what it says of each GPU: two healthy ones, unless the script says otherwise.
 *
 * -DOLD_DRIVER leaves out what drivers before 510 do not export, here and in links.c.
 */
#include "script.h"

int nvmlInitWithFlags(uint flags) { (void)flags; PLAY_ALL(nvmlInitWithFlags, 0, ANY, ANY); return SUCCESS; }

const char *nvmlErrorString(int code) { (void)code; return "as the stand-in says"; }

int nvmlSystemGetDriverVersion(char *out, uint size) {
    PLAY_ALL(nvmlSystemGetDriverVersion, 0, ANY, ANY);
    text(out, size, value && *value ? value : "570.133.20");
    return SUCCESS;
}

int nvmlDeviceGetCount_v2(uint *out) {
    PLAY_ALL(nvmlDeviceGetCount_v2, 0, ANY, ANY);
    *out = number(value, 2);
    return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(uint index, handle *out) {
    *out = 0;
    PLAY_ALL(nvmlDeviceGetHandleByIndex_v2, index + 1, ANY, ANY);
    *out = index + 1;
    return SUCCESS;
}

/* A text; of a MIG device too. usual is for printf, with the index. */
#define TEXT(function, usual) \
    int function(handle device, char *out, uint size) { \
        PLAY(function, device); \
        if (value && *value) text(out, size, value); else snprintf(out, size, usual, index_of(device)); \
        return SUCCESS; }

TEXT(nvmlDeviceGetName, "Stand-in %ld")
TEXT(nvmlDeviceGetUUID, "GPU-00000000-0000-0000-0000-0000000000%02ld")
TEXT(nvmlDeviceGetVbiosVersion, "96.00.74.00.%02ld")

/* "9 0" is compute capability 9.0. */
int nvmlDeviceGetCudaComputeCapability(handle gpu, int *major, int *minor) {
    PLAY(nvmlDeviceGetCudaComputeCapability, gpu);
    ull both[2] = {8, 6};
    numbers(value, 2, both);
    *major = both[0], *minor = both[1];
    return SUCCESS;
}

/* "total free used"; "total used" would be ambiguous, so all three or the first. */
int nvmlDeviceGetMemoryInfo(handle device, ull *total_free_used) {
    PLAY(nvmlDeviceGetMemoryInfo, device);
    ull usual[3] = {24ULL << 30, 20ULL << 30, 4ULL << 30};
    memcpy(total_free_used, usual, sizeof usual);
    numbers(value, 3, total_free_used);
    return SUCCESS;
}

int nvmlDeviceGetBAR1MemoryInfo(handle gpu, ull *total_free_used) {
    PLAY(nvmlDeviceGetBAR1MemoryInfo, gpu);
    total_free_used[0] = total_free_used[1] = number(value, 32ULL << 30);
    return SUCCESS;
}

SWITCH(nvmlDeviceGetEccMode, 1)

/* "0:1" is asked about the uncorrected errors of GPU 0. */
int nvmlDeviceGetTotalEccErrors(handle gpu, uint kind, uint counter, ull *out) {
    PLAY_ALL(nvmlDeviceGetTotalEccErrors, known(gpu), kind, counter);
    *out = number(value, 0);
    return SUCCESS;
}

NUMBER_OF(nvmlDeviceGetTemperature, 41)
NUMBER_OF(nvmlDeviceGetTemperatureThreshold, 98)
NUMBER_OF(nvmlDeviceGetClockInfo, 1695)
NUMBER_OF(nvmlDeviceGetMaxClockInfo, 6251)
NUMBER_OF(nvmlDeviceGetApplicationsClock, 1695)
NUMBER_OF(nvmlDeviceGetDefaultApplicationsClock, 1695)
NUMBER(nvmlDeviceGetPowerUsage, 61500)
NUMBER(nvmlDeviceGetEnforcedPowerLimit, 150000)
NUMBER(nvmlDeviceGetPowerManagementDefaultLimit, 150000)
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
NUMBER(nvmlDeviceGetInforomConfigurationChecksum, 0xC0FFEE)
LONG(nvmlDeviceGetCurrentClocksThrottleReasons, 0x1)

int nvmlDeviceGetRetiredPages(handle gpu, uint cause, uint *count, ull *out) {
    PLAY_ALL(nvmlDeviceGetRetiredPages, known(gpu), cause, ANY);
    uint there = number(value, 0), fits = *count >= there;
    *count = there;
    if (fits && out) memset(out, 0, there * sizeof *out);
    return fits ? SUCCESS : INSUFFICIENT_SIZE;
}

int nvmlDeviceGetUtilizationRates(handle gpu, uint *gpu_memory) {
    PLAY(nvmlDeviceGetUtilizationRates, gpu);
    gpu_memory[0] = number(value, 37);
    gpu_memory[1] = 5;
    return SUCCESS;
}

#ifndef OLD_DRIVER
int nvmlSystemGetCudaDriverVersion_v2(int *out) {
    PLAY_ALL(nvmlSystemGetCudaDriverVersion_v2, 0, ANY, ANY);
    *out = number(value, 12080);
    return SUCCESS;
}

LONG(nvmlDeviceGetCurrentClocksEventReasons, 0x1)
LONG(nvmlDeviceGetVirtualizationMode, 1)

int nvmlDeviceGetMarginTemperature(handle gpu, uint *version_margin) {
    PLAY(nvmlDeviceGetMarginTemperature, gpu);
    version_margin[1] = number(value, 57);
    return SUCCESS;
}

/* "correctable uncorrectable pending failure". */
int nvmlDeviceGetRemappedRows(handle gpu, uint *correctable, uint *uncorrectable, uint *pending, uint *failure) {
    PLAY(nvmlDeviceGetRemappedRows, gpu);
    ull all[4] = {0};
    numbers(value, 4, all);
    *correctable = all[0], *uncorrectable = all[1], *pending = all[2], *failure = all[3];
    return SUCCESS;
}

typedef struct { uint version; ull counters[11]; uint exceeded; } sram;

int nvmlDeviceGetSramEccErrorStatus(handle gpu, sram *out) {
    PLAY(nvmlDeviceGetSramEccErrorStatus, gpu);
    out->exceeded = number(value, 0);
    return SUCCESS;
}

typedef struct { uint pid; ull memory; uint gpu_instance, compute_instance; } process;

/* "pid memory pid memory ..."; usually process 4242 with 3 GiB. */
static int processes(const char *value, ull first, uint *count, process *out) {
    ull all[32] = {first, 3ULL << 30};
    uint there = first > 0;
    if (value && *value) {
        memset(all, 0, sizeof all);
        numbers(value, 32, all);
        for (there = 0; there < 16 && all[2 * there]; there++) continue;
    }
    uint fits = *count >= there;
    *count = there;
    for (uint i = 0; fits && i < there; i++) out[i] = (process){all[2 * i], all[2 * i + 1], ~0u, ~0u};
    return fits ? SUCCESS : INSUFFICIENT_SIZE;
}

int nvmlDeviceGetComputeRunningProcesses_v3(handle gpu, uint *count, process *out) {
    PLAY(nvmlDeviceGetComputeRunningProcesses_v3, gpu);
    return processes(value, 4242, count, out);
}

int nvmlDeviceGetGraphicsRunningProcesses_v3(handle gpu, uint *count, process *out) {
    PLAY(nvmlDeviceGetGraphicsRunningProcesses_v3, gpu);
    return processes(value, 0, count, out);
}

typedef struct {
    int code; uint state; char info[128], product[128]; uint enabled;
    struct { uint year; unsigned short rest[5]; unsigned char status; } expiry;
} licensable;
typedef struct { int supported; uint count; licensable features[3]; } licences;

/* "licensed product": of a vGPU; without a value there is nothing to license. */
int nvmlDeviceGetGridLicensableFeatures_v4(handle gpu, licences *out) {
    PLAY(nvmlDeviceGetGridLicensableFeatures_v4, gpu);
    memset(out, 0, sizeof *out);
    if (value && *value) {
        out->supported = out->count = 1;
        out->features[0].state = out->features[0].enabled = number(value, 0);
        text(out->features[0].product, 128, value + strcspn(value, " ") + strspn(value + strcspn(value, " "), " "));
    }
    return SUCCESS;
}
#endif

/* Questions that stop real machines (open-gpu-kernel-modules#1239): whoever asks them ends here. */
int nvmlDeviceGetSupportedMemoryClocks(void) { abort(); }
int nvmlDeviceGetSupportedGraphicsClocks(void) { abort(); }
