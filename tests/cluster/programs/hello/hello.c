/* All that an image without a shell holds: writes its arguments, one a line, to the file that the first one names. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

int main(int count, char **arguments) {
    if (count < 2) {
        fprintf(stderr, "usage: hello FILE [ARGUMENT...]\n");
        return 2;
    }
    FILE *file = fopen(arguments[1], "w");
    if (!file) {
        fprintf(stderr, "error: cannot write %s: %s\n", arguments[1], strerror(errno));
        return 1;
    }
    for (int index = 1; index < count; index++) {
        fprintf(file, "%s\n", arguments[index]);
    }
    if (fclose(file)) {
        fprintf(stderr, "error: cannot write %s: %s\n", arguments[1], strerror(errno));
        return 1;
    }
    return 0;
}
