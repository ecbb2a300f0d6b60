# The steps of a job's worktree. Set before: repo, ref, after. Each can be killed at any point and
# done again: what is half made holds nothing yet, what is half removed has been merged.
export LC_ALL=C GIT_TERMINAL_PROMPT=0
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_COMMON_DIR
git() { command git -c gc.auto=0 -c maintenance.auto=false -c advice.detachedHead=false "$@"; }
say() { printf '%s\n' "$*" >&2; } # the last line is what people are told of a failure: why it is

place=$MARIANNE_WORKSPACE
cd "$repo"
common=$(git rev-parse --path-format=absolute --git-common-dir)
job=$common/marianne/$MARIANNE_JOB_ID
mkdir -p "$job"
who=()
git config user.email > /dev/null || who=(-c user.name=marianne -c user.email=marianne@localhost)

put() { # FILE TEXT: whole or not there
    printf '%s\n' "$2" > "$job/$1.new"
    mv -f "$job/$1.new" "$job/$1"
}

admin() { # what the repository knows of the worktree, a line each; nothing where it is none
    local one known
    for one in "$common"/worktrees/*/; do
        [ -d "$one" ] || continue
        known=$(cat "$one/gitdir" 2> /dev/null || true)
        # One that was killed before it was told where it is goes by its name, the job's.
        if [ "$known" = "$place/.git" ] || { [ -z "$known" ] && is_called "$(basename "$one")"; }; then
            printf '%s\n' "${one%/}"
        fi
    done
}

is_called() { # NAME: whether git may have called our worktree so
    case "$1" in "$MARIANNE_JOB_ID" | "$MARIANNE_JOB_ID"[0-9]) true ;; *) false ;; esac
}

own() { # where the repository keeps the worktree: index, HEAD, locks
    admin | head -n 1
}

# Git in the worktree. Never by the .git that is there: a sheet may write it, behind whatever walls,
# and git runs what the configuration that it leads to names. We stand behind none.
at() {
    git -C "$place" --git-dir="$(own)" --work-tree="$place" "$@"
}

forget() { # removes the worktree, or what is left of it
    local one
    admin | while IFS= read -r one; do rm -rf -- "$one"; done
    rm -rf -- "$place"
}

unlock() { # REF COMMIT: removes a lock that one of ours left who was killed while it wrote this
    local lock=$common/$1.lock
    [ -e "$lock" ] || return 0
    case "$(cat "$lock" 2> /dev/null)" in "$2" | "") ;; *) return 0 ;; esac
    if ! find /proc/[0-9]*/fd -lname "$lock" 2> /dev/null | grep -q .; then rm -f -- "$lock"; fi
}

ours() { # whether what is there is of this job, not of one of another home that is called so too
    local mine theirs
    mine=$(printf %s "$MARIANNE_OWNER" | cksum)
    theirs=$(cat "$job/owner" 2> /dev/null || true)
    if [ -n "$theirs" ] && [ "$theirs" != "$mine" ]; then
        if [ -e "$place" ] && ! rmdir -- "$place" 2> /dev/null; then
            say "to throw away what is there: git -C ${repo@Q} worktree remove --force ${place@Q}"
            say "$place is the worktree of another job that is called so (of another home, or of" \
                "an earlier run --local): choose another name for this one, --id NEW"
            return 1
        fi
        forget
        rm -rf -- "$job"
        mkdir -p -- "$job"
    fi
    put owner "$mine"
}

on_branch() { # REF: what was made to be merged and is kept after all is on a branch from now on
    local head
    if at symbolic-ref --quiet HEAD > /dev/null; then return 0; fi
    head=$(at rev-parse HEAD)
    if [ "$(git rev-parse --verify --quiet "$1" || echo "$head")" != "$head" ]; then return 0; fi
    unlock "$1" "$head"
    rm -f -- "$(own)/HEAD.lock" # no sheet runs
    git update-ref "$1" "$head"
    at symbolic-ref HEAD "$1"
}

begin() {
    local base branch=refs/heads/marianne/$MARIANNE_JOB_ID
    ours
    if [ -e "$job/ready" ]; then
        if [ -e "$place/.git" ]; then
            if [ "$after" = keep ]; then on_branch "$branch"; fi
            echo "it is there: $place"
            return
        fi
        say "to begin anew: rm -r $job, then: marianne retry $MARIANNE_JOB_ID $MARIANNE_SHEET"
        say "$place was made and is gone, with what was not committed there"
        return 1
    fi
    if [ -e "$job/begun" ]; then
        forget # no sheet has worked there yet
    elif [ -e "$place" ] && ! rmdir -- "$place" 2> /dev/null; then
        say "$place is there already, and holds files: it is left as it is"
        return 1
    fi
    [ -e "$job/base" ] || put base "$(git rev-parse --verify "$ref^{commit}")"
    base=$(cat "$job/base")
    put begun "$place"
    mkdir -p -- "$(dirname "$place")"
    if [ "$after" = keep ]; then
        if git rev-parse --verify --quiet "$branch" > /dev/null &&
            ! git merge-base --is-ancestor "$branch" "$base"; then
            say "to throw away what is there: git branch -D ${branch#refs/heads/}"
            say "the branch ${branch#refs/heads/} is there already, with work of another job:" \
                "choose another name for this one, --id NEW"
            return 1
        fi
        unlock "$branch" "$base"
        git worktree add --quiet -B "${branch#refs/heads/}" -- "$place" "$base"
    else
        git worktree add --quiet --detach -- "$place" "$base"
    fi
    put ready "$base"
    echo "$place: $(git log -1 --format='%h %s' "$base")"
}

save() { # commits what sheets left; prints the commit
    rm -f -- "$(own)/index.lock" # they ended
    at add --all
    if ! at diff --cached --quiet; then
        at "${who[@]}" commit --quiet --no-verify --no-gpg-sign -m "$MARIANNE_JOB_ID"
    fi
    at rev-parse HEAD
}

joined() { # OLD TIP: prints a commit that has both; fails where they do not go together
    local tree date
    if git merge-base --is-ancestor "$2" "$1"; then printf '%s\n' "$1" && return; fi
    if git merge-base --is-ancestor "$1" "$2"; then printf '%s\n' "$2" && return; fi
    if ! tree=$(git merge-tree --write-tree --name-only --no-messages "$1" "$2"); then
        printf '%s\n' "$tree" | sed 1d > "$job/conflict"
        return 1
    fi
    date=$(git log -1 --format=%cI "$2") # the same commit whenever it is made
    GIT_AUTHOR_DATE=$date GIT_COMMITTER_DATE=$date git "${who[@]}" commit-tree "$tree" \
        -p "$1" -p "$2" -m "Merge job $MARIANNE_JOB_ID"
}

land() { # TIP BRANCH: the branch has it from now on; fails where it cannot
    local old new try where again="then: marianne retry $MARIANNE_JOB_ID $MARIANNE_SHEET"
    for try in 1 2 3 4 5 6 7 8 9 10; do
        old=$(git rev-parse --verify --quiet "refs/heads/$2^{commit}") ||
            { say "there is no branch $2 any more; all work is in $place" && return 1; }
        if ! new=$(joined "$old" "$1"); then
            sed 's/^/  /' "$job/conflict" >&2
            say "all work is in $place. There: git merge $2, put it right, git commit;"
            say "$again"
            say "nothing was merged: $2 has other changes than the job in" \
                "$(head -n 3 "$job/conflict" | paste -sd ' ')"
            return 1
        fi
        if [ "$new" = "$old" ]; then return 0; fi
        where=$(git for-each-ref --format='%(worktreepath)' "refs/heads/$2")
        if [ -n "$where" ]; then
            say "All work is in $place. In $where: git merge $1"
            say "$again"
            say "nothing was merged: $2 is checked out in $where, and files are not changed under" \
                "anybody's hands"
            return 1
        fi
        unlock "refs/heads/$2" "$new"
        if git update-ref -m "marianne: $MARIANNE_JOB_ID" "refs/heads/$2" "$new" "$old"; then
            return 0
        fi
    done
    say "All work is in $place; $again"
    say "$2 could not be changed: git says why above"
    return 1
}

end() { # BRANCH: the work goes there, or nowhere; then the worktree goes
    local tip=discarded
    if [ ! -e "$job/ready" ]; then
        if [ -e "$place" ] && ! rmdir -- "$place" 2> /dev/null; then
            say "$place is no worktree of this job any more, and holds files: they are left there"
            return 1
        fi
        echo "it was done before"
        rm -rf -- "$job"
        return
    fi
    if [ ! -e "$job/done" ]; then
        if [ ! -e "$place/.git" ]; then say "$place is gone" && return 1; fi
        if [ "$after" = merge ]; then
            tip=$(save)
            land "$tip" "$1" || return 1
        fi
        put done "$tip" # from here on the place may be half removed
    fi
    echo "$(cat "$job/done") ${after}d"
    forget
    rm -f -- "$job/ready" # first: what is left without it says nothing
    rm -rf -- "$job"
}
