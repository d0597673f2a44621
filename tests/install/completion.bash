# completion.bash FILE LINE... - what bash, with the function of FILE, offers behind each of the beginnings of a
# command line: a line each, "BEGINNING: WORD...". An interactive bash does the same with what is left in COMPREPLY:
# where nothing is, and where `complete` says so, it offers the names of files.
. "$1" || exit 2
shift
[[ $(complete -p smtp-harness) == *'-o default'*' -F _smtp_harness smtp-harness' ]] || exit 2
for line; do
    read -ra COMP_WORDS <<<"${line/=/ = }" # as COMP_WORDBREAKS has it
    [[ $line != *' ' ]] || COMP_WORDS+=('')
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _smtp_harness
    [ ${#COMPREPLY[@]} -gt 0 ] || mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
    printf '%s:' "$line"
    [ ${#COMPREPLY[@]} -eq 0 ] || printf ' %s' "${COMPREPLY[@]}"
    echo
done
