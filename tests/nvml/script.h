/* A stand-in for NVML that plays the machine a text file describes; the file is named by NVML_SCRIPT.
 *
 * A line of the script is "FUNCTION WHERE ANSWER [VALUE]"; of the lines that fit a call the last one counts.
 *
 * FUNCTION  as exported: nvmlDeviceGetMemoryInfo, nvmlDeviceGetCount_v2, ...
 * WHERE     "*" for any call, or for which GPU: "3", "0-7"; "0.2" is its MIG device 2, which "0" and "*" are not.
 *           What is further asked about stands behind colons: "0:5" is link 5 of GPU 0, or GPU 0 with GPU 5;
 *           "0-7:82" field 82 of GetFieldValues, "*:163:4" its scope 4. What is left out is any.
 * ANSWER    "ok", an NVML error by name or number (GPU_IS_LOST, 999), "never" (it does not return: two minutes here,
 *           so that no forgotten child stays), or "abort" (it kills the caller). "after=0.5" before it delays it.
 * VALUE     what is answered in the place of the usual; the functions say its form. Sizes may be "80GiB" or "256MiB",
 *           \xff in a text is that byte.
 *
 * Other lines are not the library's: tests/nvml/stand_in.py makes files of them.
 */
#ifndef SCRIPT_H
#define SCRIPT_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned int uint;
typedef unsigned long long ull;
typedef long handle; /* of a GPU: its index plus one; of a MIG device also its slot plus one, 16 bits further */

enum { SUCCESS = 0, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7, ANY = -1 };

/* NVML's return code for a call; *value is NULL where no line fits, "" where the line has none. */
int play(const char *function, handle device, long second, long third, const char **value);

/* A call with the handle of a failed look-up ends here, as it does in real drivers. */
handle known(handle device);
long index_of(handle device);
long slot_of(handle device); /* ANY for a whole GPU */

ull number(const char *value, ull usual);
/* As many numbers as the value has, into those that are there; the others stay. */
void numbers(const char *value, int most, ull *out);
void text(char *out, uint size, const char *value);

#define PLAY_ALL(function, device, second, third) \
    const char *value; \
    int code = play(#function, device, second, third, &value); \
    if (code) return code

#define PLAY(function, device) PLAY_ALL(function, known(device), ANY, ANY)

#define NUMBER(function, usual) \
    int function(handle gpu, uint *out) { PLAY(function, gpu); *out = number(value, usual); return SUCCESS; }

#define LONG(function, usual) \
    int function(handle gpu, ull *out) { PLAY(function, gpu); *out = number(value, usual); return SUCCESS; }

/* A number of several: the temperature of a sensor, the clock of a domain. */
#define NUMBER_OF(function, usual) \
    int function(handle gpu, uint what, uint *out) { \
        PLAY_ALL(function, known(gpu), what, ANY); *out = number(value, usual); return SUCCESS; }

/* "1 0": on now, off after the next reset. */
#define SWITCH(function, usual) \
    int function(handle gpu, uint *current, uint *pending) { \
        PLAY(function, gpu); \
        ull both[2] = {number(value, usual), number(value, usual)}; \
        numbers(value, 2, both); \
        *current = both[0], *pending = both[1]; \
        return SUCCESS; }
#endif
