/* helm_completion.c: `tutti helm completion SHELL`: scripts that ask `tutti helm __complete`. They
 * complete `tutti helm …`, and `helm …` where that is an alias or a link. */
#include <string.h>

#include "cli/helm.h"

static const char bash_script[] =
    "# bash completion for helm\n"
    "__tutti_helm() {\n"
    "    local words=(\"${COMP_WORDS[@]:1:COMP_CWORD}\") out directive line\n"
    "    if [[ ${COMP_WORDS[0]##*/} == tutti ]]; then\n"
    "        [[ $COMP_CWORD -gt 1 && ${words[0]} == helm ]] || return\n"
    "        words=(\"${words[@]:1}\")\n"
    "    fi\n"
    "    out=$(tutti helm @COMPLETE@ \"${words[@]}\" 2>/dev/null) || return\n"
    "    directive=${out##*:}\n"
    "    out=${out%:*}\n"
    "    COMPREPLY=()\n"
    "    local cur=${words[${#words[@]}-1]}\n"
    "    while IFS= read -r line; do\n"
    "        [[ -n $line ]] && COMPREPLY+=(\"${line%%$'\\t'*}\")\n"
    "    done <<<\"$out\"\n"
    "    if [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]]; then\n"
    "        local head=${cur%\"${cur##*:}\"} i\n"
    "        for i in \"${!COMPREPLY[@]}\"; do COMPREPLY[i]=${COMPREPLY[i]#\"$head\"}; done\n"
    "    fi\n"
    "    if ((directive & 2)); then compopt -o nospace 2>/dev/null; fi\n"
    "    if ((directive & 4)); then compopt +o default 2>/dev/null; fi\n"
    "}\n"
    "complete -o default -F __tutti_helm helm tutti\n";

static const char zsh_script[] =
    "#compdef helm tutti\n"
    "# zsh completion for helm\n"
    "_tutti_helm() {\n"
    "    local -a args lines plain\n"
    "    local out directive line name text\n"
    "    args=(\"${(@)words[2,CURRENT]}\")\n"
    "    if [[ ${words[1]:t} == tutti ]]; then\n"
    "        [[ $CURRENT -gt 2 && $args[1] == helm ]] || return 1\n"
    "        args=(\"${(@)args[2,-1]}\")\n"
    "    fi\n"
    "    out=$(tutti helm @COMPLETE@ \"${args[@]}\" 2>/dev/null) || return 1\n"
    "    directive=${out##*:}\n"
    "    for line in \"${(@f)${out%:*}}\"; do\n"
    "        [[ -z $line ]] && continue\n"
    "        name=${line%%$'\\t'*}; text=${line#*$'\\t'}\n"
    "        [[ $line == *$'\\t'* ]] && lines+=(\"${name//:/\\\\:}:$text\") || "
    "lines+=(\"${name//:/\\\\:}\")\n"
    "    done\n"
    "    if (( directive & 2 )); then _describe 'helm' lines -S ''; else _describe 'helm' lines; "
    "fi\n"
    "    (( directive & 4 )) || (( ${#lines} )) || _files\n"
    "}\n"
    "compdef _tutti_helm helm tutti\n";

static const char fish_script[] =
    "# fish completion for helm\n"
    "function __tutti_helm\n"
    "    set -l words (commandline -opc)\n"
    "    set -l first (basename $words[1])\n"
    "    set -e words[1]\n"
    "    if test $first = tutti\n"
    "        test (count $words) -gt 0; and test $words[1] = helm; or return\n"
    "        set -e words[1]\n"
    "    end\n"
    "    set -l lines (tutti helm @COMPLETE@ $words (commandline -ct) 2>/dev/null)\n"
    "    test (count $lines) -gt 0; or return\n"
    "    set -l directive (string sub -s 2 -- $lines[-1])\n"
    "    set -e lines[-1]\n"
    "    if test (count $lines) -eq 0; and test $directive -lt 4\n"
    "        __fish_complete_path (commandline -ct)\n"
    "    else\n"
    "        printf '%s\\n' $lines\n"
    "    end\n"
    "end\n"
    "complete -c helm -f -a '(__tutti_helm)'\n"
    "complete -c tutti -f -a '(__tutti_helm)'\n";

static const char powershell_script[] =
    "# powershell completion for helm\n"
    "Register-ArgumentCompleter -Native -CommandName 'helm', 'tutti' -ScriptBlock {\n"
    "    param($word, $ast, $position)\n"
    "    $words = @($ast.CommandElements | Where-Object { $_.Extent.EndOffset -lt $position -or "
    "$word -eq '' } | ForEach-Object { $_.ToString() })\n"
    "    $first, $words = $words\n"
    "    $words = @($words)\n"
    "    if ([IO.Path]::GetFileNameWithoutExtension($first) -eq 'tutti') {\n"
    "        if ($words.Count -eq 0 -or $words[0] -ne 'helm') { return }\n"
    "        $words = @($words | Select-Object -Skip 1)\n"
    "    }\n"
    "    $lines = @(& tutti helm @COMPLETE@ @words \"$word\" 2>$null)\n"
    "    $lines | Select-Object -SkipLast 1 | ForEach-Object {\n"
    "        $name, $text = $_.Split(\"`t\", 2)\n"
    "        if (-not $text) { $text = $name }\n"
    "        [System.Management.Automation.CompletionResult]::new($name, $name, 'ParameterValue', "
    "$text)\n"
    "    }\n"
    "}\n";

static void put_script(struct str text, const char *command, struct buf *out)
{
    static const struct str mark = STR_INIT("@COMPLETE@");
    ssize_t at = str_find(text, mark);
    buf_put(out, str_head(text, (size_t)at));
    buf_puts(out, command);
    buf_put(out, str_from(text, (size_t)at + mark.n));
}

int helm_completion(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    static const struct {
        const char *shell;
        struct str text;
    } scripts[] = {
        {"bash", {bash_script, sizeof(bash_script) - 1}},
        {"fish", {fish_script, sizeof(fish_script) - 1}},
        {"powershell", {powershell_script, sizeof(powershell_script) - 1}},
        {"zsh", {zsh_script, sizeof(zsh_script) - 1}},
    };
    bool brief = false;
    const struct helm_flag flags[] = {{"no-descriptions", 0, HELM_SWITCH, &brief, NULL}, {0}};
    if (helm_flags(cx, flags, helm_common_flags, argc, argv, &argc) != 0)
        return -1;
    for (size_t i = 0; argc == 1 && i < ARRAY_LEN(scripts); i++)
        if (strcmp(argv[0], scripts[i].shell) == 0) {
            put_script(scripts[i].text, brief ? "__completeNoDesc" : "__complete", out);
            return 0;
        }
    return argc == 1
               ? chart_fail(cx, "unknown command \"%s\" for \"helm completion\"", argv[0])
               : chart_fail(cx, "\"helm completion\" needs one of bash, fish, powershell, zsh");
}

/* There are none, and there is no way to add one. */
int helm_plugin(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    const struct helm_flag none[] = {{0}};
    if (helm_flags(cx, none, helm_common_flags, argc, argv, &argc) != 0)
        return -1;
    if (argc != 1 || (strcmp(argv[0], "list") != 0 && strcmp(argv[0], "ls") != 0))
        return chart_fail(cx, "\"helm plugin\" has the subcommand list only");
    buf_puts(out, "NAME\tVERSION\tDESCRIPTION\n");
    return 0;
}
