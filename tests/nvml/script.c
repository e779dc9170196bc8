/* The script, read once when the library is loaded, and what it says about a call. */
#include "script.h"
#include <limits.h>
#include <time.h>
#include <unistd.h>

enum { NEVER = -1, ABORT = -2, MOST_LINES = 4000 };

typedef struct { long low, high; } range;
typedef struct { char function[80]; range gpu, slot, second, third; int whole, answer; double delay; char value[160]; } line;

static line script[MOST_LINES];
static int lines;

static const struct { const char *name; int code; } NAMES[] = {
    {"ok", 0}, {"UNINITIALIZED", 1}, {"INVALID_ARGUMENT", 2}, {"NOT_SUPPORTED", 3}, {"NO_PERMISSION", 4},
    {"NOT_FOUND", 6}, {"INSUFFICIENT_SIZE", 7}, {"INSUFFICIENT_POWER", 8}, {"DRIVER_NOT_LOADED", 9}, {"TIMEOUT", 10},
    {"LIBRARY_NOT_FOUND", 12}, {"FUNCTION_NOT_FOUND", 13}, {"CORRUPTED_INFOROM", 14}, {"GPU_IS_LOST", 15},
    {"RESET_REQUIRED", 16}, {"OPERATING_SYSTEM", 17}, {"LIB_RM_VERSION_MISMATCH", 18}, {"IN_USE", 19}, {"MEMORY", 20},
    {"ARGUMENT_VERSION_MISMATCH", 25}, {"DEPRECATED", 26}, {"UNKNOWN", 999}, {"never", NEVER}, {"abort", ABORT},
};

static int answer_of(const char *word) {
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) if (!strcmp(word, NAMES[i].name)) return NAMES[i].code;
    char *end;
    int code = strtol(word, &end, 10);
    if (*end) { fprintf(stderr, "NVML stand-in: what answer is %s?\n", word); abort(); }
    return code;
}

static range range_of(const char *word) {
    range found = {LONG_MIN, LONG_MAX};
    if (word && *word != '*') found.low = found.high = atol(word), sscanf(word, "%*d-%ld", &found.high);
    return found;
}

static int is_in(long number, range r) { return r.low <= number && number <= r.high; }

/* "0.2:5:7" in place; whole: it is about GPUs, not about their MIG devices. */
static void place(char *where, line *to) {
    char *third = NULL, *second = strchr(where, ':'), *slot;
    if (second) *second++ = 0, third = strchr(second, ':');
    if (third) *third++ = 0;
    if ((slot = strchr(where, '.'))) *slot++ = 0;
    to->gpu = range_of(where), to->slot = range_of(slot), to->whole = !slot;
    to->second = range_of(second), to->third = range_of(third);
}

__attribute__((constructor)) static void read_script(void) {
    char text[400], where[40], answer[40];
    FILE *file = fopen(getenv("NVML_SCRIPT") ? getenv("NVML_SCRIPT") : "", "r");
    while (file && fgets(text, sizeof text, file) && lines < MOST_LINES) {
        line *next = &script[lines];
        int read = 0;
        if (sscanf(text, " nvml%n", &read) || !read) continue;
        if (sscanf(text, "%79s %39s %39s%n", next->function, where, answer, &read) < 3) continue;
        next->delay = 0;
        if (sscanf(answer, "after=%lf", &next->delay) == 1) {
            int more = 0;
            sscanf(text + read, "%39s%n", answer, &more);
            read += more;
        }
        place(where, next);
        next->answer = answer_of(answer);
        next->value[0] = 0;
        sscanf(text + read, " %159[^\n]", next->value);
        lines++;
    }
    if (file) fclose(file);
}

int play(const char *function, handle device, long second, long third, const char **value) {
    line *found = NULL;
    for (line *one = script; one < script + lines; one++)
        if (!strcmp(one->function, function) && is_in(index_of(device), one->gpu) &&
            (slot_of(device) == ANY ? one->whole : !one->whole && is_in(slot_of(device), one->slot)) &&
            is_in(second, one->second) && is_in(third, one->third)) found = one;
    *value = found ? found->value : NULL;
    if (!found) return SUCCESS;
    if (found->delay > 0) {
        struct timespec wait = {(time_t)found->delay, (long)((found->delay - (time_t)found->delay) * 1e9)};
        nanosleep(&wait, NULL);
    }
    if (found->answer == NEVER) { sleep(120); _exit(1); }
    if (found->answer == ABORT) abort();
    return found->answer;
}

handle known(handle device) {
    if (device <= 0) abort();
    return device;
}

long index_of(handle device) { return (device & 0xffff) - 1; }

long slot_of(handle device) { return (device >> 16) - 1; }

static ull sized(const char *from, char **end) {
    ull found = strtoull(from, end, 0);
    const char *units = "KMGT", *unit = **end ? strchr(units, **end) : NULL;
    if (unit && !strncmp(*end + 1, "iB", 2)) found <<= 10 * (unit - units + 1), *end += 3;
    return found;
}

ull number(const char *value, ull usual) {
    char *end;
    return value && *value ? sized(value, &end) : usual;
}

void numbers(const char *value, int most, ull *out) {
    char *next = (char *)value;
    for (int i = 0; next && *next && i < most; i++, next += strspn(next, " ")) out[i] = sized(next, &next);
}

void text(char *out, uint size, const char *value) {
    uint at = 0;
    for (; *value && at + 1 < size; at++) {
        uint byte;
        if (sscanf(value, "\\x%2x", &byte) == 1) out[at] = byte, value += 4;
        else out[at] = *value++;
    }
    out[at] = 0;
}
