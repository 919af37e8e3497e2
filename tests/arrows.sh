#!/bin/sh
# arrows.sh: who includes whom, held against the table ARROWS of the Makefile,
# and no libc in runtime/. Prints what breaks a rule; exit status 1 if anything does.
set -u
bad=0

# Own includes stand in quotes and begin with a folder; those of the own folder are always right.
check_folder()
{
    folder=$1 allowed=$2
    for file in "$folder"/*.c "$folder"/*.h; do
        [ -f "$file" ] || continue
        for include in $(sed -n 's/^ *# *include *"\([^"]*\)".*/\1/p' "$file"); do
            from=${include%%/*}
            [ "$from" = "$include" ] && from=$folder # a file beside it
            ok=no
            [ "$from" = "$folder" ] && ok=yes
            for a in $allowed; do
                { [ "$a" = "$from" ] || [ "$a" = "$include" ]; } && ok=yes
            done
            if [ "$ok" = no ]; then
                echo "arrows: $file includes \"$include\"; $folder may include: ${allowed:-nothing}"
                bad=1
            fi
        done
    done
}

# A library has one user, which hides it from the others.
one_user()
{
    header=$1 folder=$2
    for file in $(grep -l "^ *# *include *<$header>" ./*/*.c ./*/*.h 2>/dev/null); do
        case $file in
        ./"$folder"/* | ./tests/* | ./cli/cmd_version.c) ;;
        *) echo "arrows: $file includes <$header>; only $folder/ may" && bad=1 ;;
        esac
    done
}

seen=$(printf '%s\n' "$ARROWS" | sed -n 's/^\([a-z]*\):.*/\1/p')
for folder in $seen; do
    check_folder "$folder" "$(printf '%s\n' "$ARROWS" | sed -n "s/^$folder: *//p")"
done
one_user cblas.h nn
one_user sqlite3.h results
one_user yaml.h base
one_user jpeglib.h dataset
one_user png.h dataset

# What is freestanding includes only the compiler's own headers.
for file in runtime/*.c runtime/*.h; do
    for include in $(sed -n 's/^ *# *include *<\([^>]*\)>.*/\1/p' "$file"); do
        case $include in
        stdint.h | stddef.h | stdbool.h | limits.h | arm_mve.h) ;; # the compiler's own
        *) echo "arrows: $file includes <$include>; the runtime has no libc" && bad=1 ;;
        esac
    done
done
[ "$bad" -eq 0 ] && echo "arrows: every include is allowed"
exit "$bad"
