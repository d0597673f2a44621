# completion.zsh FOLDER LINE... - what zsh, with the function _smtp-harness of FOLDER, offers behind each of the
# beginnings of a command line: a line each, "BEGINNING: WORD...". It runs an interactive zsh in a pseudo-terminal,
# presses its Tab key, and compadd tells what it was given to offer.
zmodload zsh/zpty || exit 2
typeset -g setup='
PROMPT= RPROMPT=
unsetopt zle_bracketed_paste prompt_cr prompt_sp
fpath=('${(q)1}' $fpath)
autoload -Uz compinit && compinit -D -u
zstyle ":completion:*" completer _complete
typeset -ga all
compadd() {
    if [[ " $* " != *" -"[OAD]" "* ]]; then
        local -a offered
        builtin compadd -A offered "$@"
        all+=($offered)
    fi
    builtin compadd "$@"
}
tell() {
    local line=$BUFFER
    all=()
    zle complete
    BUFFER=
    print -r -- "<$line:${(u)all:+ ${(u)all}}>"
}
zle -C complete complete-word _main_complete
zle -N tell
bindkey "^I" tell
print -r -- "<""begun>"'
shift

# Up to a line <...> of the other zsh, and what is between the brackets.
hear() {
    local text= heard
    while [[ $text != *'<'*'>'* ]]; do
        zpty -r other heard || exit 2
        text+=$heard
    done
    text=${text##*'<'}
    REPLY=${text%%'>'*}
}

file=$(mktemp) || exit 2
trap 'rm -f $file; zpty -d other' EXIT
print -r -- "$setup" >$file
zpty other TERM=dumb zsh -f -i || exit 2
zpty -w other "source $file"
hear
for line; do
    zpty -n -w other "$line"$'\t'
    hear
    print -r -- "$REPLY"
done
