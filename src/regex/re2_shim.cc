#include "regex/re2_shim.h"

#include <re2/re2.h>

#include <cstring>
#include <new>
#include <string>

namespace
{

enum { MAX_GROUPS = 100 };

shim_error error_of(RE2::ErrorCode code)
{
    switch (code) {
    case RE2::NoError:
        return SHIM_OK;
    case RE2::ErrorBadEscape:
        return SHIM_BAD_ESCAPE;
    case RE2::ErrorBadCharClass:
        return SHIM_BAD_CLASS;
    case RE2::ErrorBadCharRange:
        return SHIM_BAD_RANGE;
    case RE2::ErrorMissingBracket:
        return SHIM_MISSING_BRACKET;
    case RE2::ErrorMissingParen:
        return SHIM_MISSING_PAREN;
    case RE2::ErrorUnexpectedParen:
        return SHIM_UNEXPECTED_PAREN;
    case RE2::ErrorTrailingBackslash:
        return SHIM_TRAILING_BACKSLASH;
    case RE2::ErrorRepeatArgument:
        return SHIM_REPEAT_ARGUMENT;
    case RE2::ErrorRepeatSize:
        return SHIM_REPEAT_SIZE;
    case RE2::ErrorRepeatOp:
        return SHIM_REPEAT_OP;
    case RE2::ErrorBadPerlOp:
        return SHIM_PERL_OP;
    case RE2::ErrorBadUTF8:
        return SHIM_UTF8;
    case RE2::ErrorBadNamedCapture:
        return SHIM_NAMED_CAPTURE;
    case RE2::ErrorPatternTooLarge:
        return SHIM_TOO_LARGE;
    default:
        return SHIM_INTERNAL;
    }
}

re2::StringPiece piece(const char *p, size_t n)
{
    return re2::StringPiece(p ? p : "", n);
}

} // namespace

void *shim_compile(const char *p, size_t n, bool caseless, bool dot_nl, enum shim_error *ret_error,
                   char *ret_arg, size_t room)
{
    RE2::Options options;
    options.set_log_errors(false);
    options.set_case_sensitive(!caseless);
    options.set_dot_nl(dot_nl);
    RE2 *re = new RE2(piece(p, n), options);
    *ret_error = error_of(re->error_code());
    if (re->ok())
        return re;
    const std::string &arg = re->error_arg();
    size_t k = arg.size() < room - 1 ? arg.size() : room - 1;
    memcpy(ret_arg, arg.data(), k);
    ret_arg[k] = 0;
    delete re;
    return nullptr;
}

void shim_free(void *re)
{
    delete static_cast<RE2 *>(re);
}

bool shim_match(const void *re, const char *p, size_t n, size_t from, bool full,
                struct shim_piece *groups, size_t count)
{
    re2::StringPiece found[MAX_GROUPS];
    if (count > MAX_GROUPS)
        count = MAX_GROUPS;
    const RE2 *r = static_cast<const RE2 *>(re);
    if (!r->Match(piece(p, n), from, n, full ? RE2::ANCHOR_BOTH : RE2::UNANCHORED, found,
                  static_cast<int>(count)))
        return false;
    for (size_t i = 0; i < count; i++)
        groups[i] = shim_piece{found[i].data(), found[i].size()};
    return true;
}

size_t shim_groups(const void *re)
{
    return static_cast<size_t>(static_cast<const RE2 *>(re)->NumberOfCapturingGroups());
}

int shim_named(const void *re, const char *p, size_t n)
{
    const auto &names = static_cast<const RE2 *>(re)->NamedCapturingGroups();
    auto it = names.find(std::string(p ? p : "", n));
    return it == names.end() ? -1 : it->second;
}
