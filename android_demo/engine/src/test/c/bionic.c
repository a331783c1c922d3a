/* TensorFlow Lite's library for Android on x86-64 runs on a desktop: this is what it takes from Android's C library (bionic)
 * that the desktop's has not, or has with other numbers. All else it finds in the desktop's, whose types have the same
 * layout. scripts/android_library.py makes it look here, and writes the names of what is replaced with a capital. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

/* stdin, stdout and stderr of bionic: an array that its headers point into. What is written to them goes to stderr. */
char __sF[3][152];

static FILE *desktop(void *file) {
    return (char *)file >= __sF[0] && (char *)file < __sF[3] ? stderr : file;
}

int *__errno(void) { return &errno; }

size_t __strlen_chk(const char *text, size_t size) {
    (void)size;
    return strlen(text);
}

int __system_property_get(const char *name, char *value) {
    (void)name;
    *value = 0;
    return 0;
}

void android_set_abort_message(const char *message) { fprintf(stderr, "%s\n", message); }

int __android_log_vprint(int priority, const char *tag, const char *format, va_list words) {
    (void)priority, (void)tag, (void)format, (void)words; /* it is told to stderr as well */
    return 0;
}

int Vfprintf(void *file, const char *format, va_list words) { return vfprintf(desktop(file), format, words); }

int Fprintf(void *file, const char *format, ...) {
    va_list words;
    va_start(words, format);
    int length = vfprintf(desktop(file), format, words);
    va_end(words);
    return length;
}

int Fputc(int letter, void *file) { return fputc(letter, desktop(file)); }

size_t Fwrite(const void *from, size_t size, size_t count, void *file) {
    return fwrite(from, size, count, desktop(file));
}

int Fflush(void *file) { return fflush(file ? desktop(file) : NULL); }

int Fileno(void *file) { return fileno(desktop(file)); }

long Sysconf(int name) {
    switch (name) {
        case 39: /* _SC_PAGESIZE */
        case 40: /* _SC_PAGE_SIZE */
            return getpagesize();
        case 96: /* _SC_NPROCESSORS_CONF */
            return get_nprocs_conf();
        case 97: /* _SC_NPROCESSORS_ONLN */
            return get_nprocs();
        default:
            errno = EINVAL;
            return -1;
    }
}
