/* What connects GPUs (PCI, NVLink, fabric, peer access), and MIG devices, which are handles of their own. */
#include "script.h"

typedef struct { char legacy[16]; uint domain, bus, device, id, subsystem; char address[32]; } pci_info;

static void address(pci_info *out, const char *value, long index) {
    memset(out, 0, sizeof *out);
    if (value && *value) text(out->address, sizeof out->address, value);
    else snprintf(out->address, sizeof out->address, "00000000:%02lX:00.0", 0x1A + index);
}

int nvmlDeviceGetPciInfo_v3(handle gpu, pci_info *out) {
    PLAY(nvmlDeviceGetPciInfo_v3, gpu);
    address(out, value, index_of(gpu));
    return SUCCESS;
}

#ifndef OLD_DRIVER
typedef struct { uint id, scope; long long at, latency; uint type; int code; ull value; } field;

enum { TEMPERATURE_OF_MEMORY = 82, NUMBER_OF_LINKS = 91 };

/* "0:82" is field 82; usually 44 for that temperature, 2 links, 0 for all others. A code is that of the field. */
int nvmlDeviceGetFieldValues(handle gpu, int count, field *out) {
    for (field *f = out; f < out + count; f++) {
        const char *value;
        f->code = play("nvmlDeviceGetFieldValues", known(gpu), f->id, f->scope, &value);
        f->value = number(value, f->id == TEMPERATURE_OF_MEMORY ? 44 : f->id == NUMBER_OF_LINKS ? 2 : 0);
    }
    return SUCCESS;
}

typedef struct { uint version; unsigned char cluster[16]; int status; uint clique; unsigned char state; uint health; } fabric;

/* "state status cluster clique health": cluster is the first byte of its id, health the mask, usually all in order. */
int nvmlDeviceGetGpuFabricInfoV(handle gpu, fabric *out) {
    PLAY(nvmlDeviceGetGpuFabricInfoV, gpu);
    ull all[5] = {3, SUCCESS, 0, 0, 0xAA};
    numbers(value, 5, all);
    memset(out->cluster, 0, sizeof out->cluster);
    out->state = all[0], out->status = all[1], out->cluster[0] = all[2], out->clique = all[3], out->health = all[4];
    return SUCCESS;
}

/* The value says whether a link is active; how many there are says field 91. */
int nvmlDeviceGetNvLinkState(handle gpu, uint link, uint *out) {
    PLAY_ALL(nvmlDeviceGetNvLinkState, known(gpu), link, ANY);
    *out = number(value, 1);
    field links = {.id = NUMBER_OF_LINKS};
    nvmlDeviceGetFieldValues(gpu, 1, &links);
    return link < links.value ? SUCCESS : INVALID_ARGUMENT;
}

/* 0: a GPU, 1: a processor, 2: a switch. */
NUMBER_OF(nvmlDeviceGetNvLinkRemoteDeviceType, 0)

/* Usually of two GPUs the other one. */
int nvmlDeviceGetNvLinkRemotePciInfo_v2(handle gpu, uint link, pci_info *out) {
    PLAY_ALL(nvmlDeviceGetNvLinkRemotePciInfo_v2, known(gpu), link, ANY);
    address(out, value, !index_of(gpu));
    return SUCCESS;
}

/* 0 on one board, 10 one PCIe switch, 20 several, 30 host bridge, 40 processor, 50 the system. */
int nvmlDeviceGetTopologyCommonAncestor(handle first, handle second, uint *out) {
    PLAY_ALL(nvmlDeviceGetTopologyCommonAncestor, known(first), index_of(known(second)), ANY);
    *out = number(value, 40);
    return SUCCESS;
}

/* "0:1:2" asks GPU 0 with GPU 1 about NVLink (0 read, 1 write). 0: it works; 1 to 5: why not; 6: unknown. */
int nvmlDeviceGetP2PStatus(handle first, handle second, uint what, uint *out) {
    PLAY_ALL(nvmlDeviceGetP2PStatus, known(first), index_of(known(second)), what);
    *out = number(value, 0);
    return SUCCESS;
}

SWITCH(nvmlDeviceGetMigMode, 0)
NUMBER(nvmlDeviceGetMaxMigDeviceCount, 7)

/* Usually in every second slot. */
int nvmlDeviceGetMigDeviceHandleByIndex(handle gpu, uint slot, handle *out) {
    *out = 0;
    PLAY_ALL(nvmlDeviceGetMigDeviceHandleByIndex, known(gpu), slot, ANY);
    if (!value && slot % 2) return NOT_FOUND;
    *out = gpu | (handle)(slot + 1) << 16;
    return SUCCESS;
}

NUMBER(nvmlDeviceGetGpuInstanceId, slot_of(gpu) + 7)
NUMBER(nvmlDeviceGetComputeInstanceId, 0)

typedef struct { uint multiprocessors, engines[5], gpu_slices, compute_slices; ull memory_mib; } attributes;

/* "multiprocessors GPU-slices compute-slices". */
int nvmlDeviceGetAttributes_v2(handle device, attributes *out) {
    PLAY(nvmlDeviceGetAttributes_v2, device);
    ull all[3] = {14, 1, 1};
    numbers(value, 3, all);
    memset(out, 0, sizeof *out);
    out->multiprocessors = all[0], out->gpu_slices = all[1], out->compute_slices = all[2];
    return SUCCESS;
}
#endif
