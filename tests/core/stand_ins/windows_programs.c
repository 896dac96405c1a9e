/* Stands for python.exe, py.exe, wsl.exe, Windows' fc.exe, and the Explorer that starts a batch file; its own name says which.

   STAND_IN_LOG      file that gets one line a call of Python or wsl.exe: program, CUDA_VISIBLE_DEVICES, what WSLENV lends to
                     Linux (NAME/flags=value, parted by the sign 2), then every argument, parted by the sign 31
   STAND_IN_FIT      which Pythons are there and fit, such as "py-3.12 python" ("venv" = the one in the environment)
   STAND_IN_CODES    exit codes of the calls of main.py, in their order ("0 3"); 0 when there are no more
   STAND_IN_VENV, STAND_IN_PIP      exit codes of these modules
   STAND_IN_WSL      exit codes of "wsl.exe --status", of a trial of its Linux, and of setting up there ("0 0 0")
   STAND_IN_LINE     file with the command line that the Explorer starts; STAND_IN_PATH is the PATH it gets
*/
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <windows.h>

#include <shellapi.h>

static char *utf8(const wchar_t *text) {
    int size = WideCharToMultiByte(CP_UTF8, 0, text, -1, NULL, 0, NULL, NULL);
    char *bytes = malloc(size);
    WideCharToMultiByte(CP_UTF8, 0, text, -1, bytes, size, NULL, NULL);
    return bytes;
}

static wchar_t *variable(const wchar_t *name) {
    static wchar_t empty[1];
    wchar_t *value = malloc(32768 * sizeof(wchar_t));
    return GetEnvironmentVariableW(name, value, 32768) ? value : empty;
}

static int start(void) {
    static char line[32768];
    static wchar_t wide[32768];
    STARTUPINFOW startup = {sizeof startup};
    PROCESS_INFORMATION process;
    DWORD code;
    FILE *file = _wfopen(variable(L"STAND_IN_LINE"), L"rb");
    fread(line, 1, sizeof line - 1, file);
    fclose(file);
    MultiByteToWideChar(CP_UTF8, 0, line, -1, wide, 32768);
    SetEnvironmentVariableW(L"PATH", variable(L"STAND_IN_PATH"));
    if (!CreateProcessW(NULL, wide, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &process)) return 250;
    WaitForSingleObject(process.hProcess, INFINITE);
    GetExitCodeProcess(process.hProcess, &code);
    printf("\nexit code %ld\n", (long)code);
    return 0;
}

static int compare(const wchar_t *one, const wchar_t *other) {
    FILE *first = _wfopen(one, L"rb"), *second = _wfopen(other, L"rb");
    int sign;
    if (!first || !second) return 2;
    do {
        sign = fgetc(first);
        if (sign != fgetc(second)) return 1;
    } while (sign != EOF);
    return 0;
}

static int exit_code(const wchar_t *codes, int call) {
    for (; call && *codes; codes++) call -= *codes == L' ';
    return *codes ? _wtoi(codes) : 0;
}

static int called_before(void) {
    static char line[65536];
    int count = 0;
    FILE *file = _wfopen(variable(L"STAND_IN_LOG"), L"rb");
    while (file && fgets(line, sizeof line, file)) count += strstr(line, "main.py") != NULL;
    if (file) fclose(file);
    return count;
}

/* The variables that WSLENV names, as wsl.exe would hand them on. */
static void note_lent(FILE *file) {
    wchar_t *rest = variable(L"WSLENV"), *next, full[256];
    for (; *rest; rest = next) {
        next = wcschr(rest, L':');
        if (next) *next++ = 0;
        else next = rest + wcslen(rest);
        wcsncpy(full, rest, 255);
        if (wcschr(rest, L'/')) *wcschr(rest, L'/') = 0;
        if (*variable(rest)) fprintf(file, "%s=%s\x02", utf8(full), utf8(variable(rest)));
    }
}

static int wsl(int count, wchar_t **words) {
    const wchar_t *codes = variable(L"STAND_IN_WSL");
    if (!wcscmp(words[1], L"--status")) return exit_code(codes, 0);
    if (!wcscmp(words[count - 1], L"exit 0")) return exit_code(codes, 1);
    return exit_code(codes, 2);
}

static void note(int count, wchar_t **words, const wchar_t *program) {
    FILE *file = _wfopen(variable(L"STAND_IN_LOG"), L"ab");
    fprintf(file, "%s\x1f%s\x1f", utf8(program), utf8(variable(L"CUDA_VISIBLE_DEVICES")));
    note_lent(file);
    for (int i = 1; i < count; i++) fprintf(file, "\x1f%s", utf8(words[i]));
    fprintf(file, "\n");
    fclose(file);
}

static int make_environment(const wchar_t *folder, const wchar_t *self) {
    wchar_t path[4096];
    int code = _wtoi(variable(L"STAND_IN_VENV"));
    if (code) return fprintf(stderr, "venv says: no space left\n"), code;
    CreateDirectoryW(folder, NULL);
    swprintf(path, 4096, L"%ls\\Scripts", folder);
    CreateDirectoryW(path, NULL);
    wcscat(path, L"\\python.exe");
    return CopyFileW(self, path, FALSE) ? 0 : 1;
}

int main(void) {
    int count, first = 1;
    wchar_t self[4096], name[64];
    wchar_t **words = CommandLineToArgvW(GetCommandLineW(), &count);
    GetModuleFileNameW(NULL, self, 4096);
    wcsncpy(name, wcsrchr(self, L'\\') + 1, 60);
    wcsrchr(name, L'.')[0] = 0;
    if (!wcscmp(name, L"explorer")) return start();
    if (!wcscmp(name, L"fc")) return compare(words[2], words[3]);

    int before = called_before();
    note(count, words, self);
    if (!wcscmp(name, L"wsl") && (count < 2 || !wcsstr(GetCommandLineW(), L"main.py"))) return wsl(count, words);
    if (!wcscmp(name, L"wsl")) return exit_code(variable(L"STAND_IN_CODES"), before);
    if (count > 1 && words[1][0] == L'-' && words[1][1] == L'3') wcscat(name, words[first++]);
    if (wcsstr(self, L"\\Scripts\\")) wcscpy(name, L"venv");
    if (count <= first) return 0;
    if (!wcscmp(words[first], L"-c")) return wcsstr(variable(L"STAND_IN_FIT"), name) ? 0 : 103;
    if (!wcscmp(words[first], L"-m") && !wcscmp(words[first + 1], L"venv")) return make_environment(words[first + 2], self);
    if (!wcscmp(words[first], L"-m")) {
        int code = _wtoi(variable(L"STAND_IN_PIP"));
        if (code) fprintf(stderr, "pip says: no connection\n");
        return code;
    }
    return exit_code(variable(L"STAND_IN_CODES"), before);
}
