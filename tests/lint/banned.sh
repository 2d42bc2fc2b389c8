#!/bin/bash
# Calls that have no place here: no bound, no error, or a shell. Comments are not searched.
set -u
cd "$SRC_DIR" || exit 1
banned='strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|atoll|atof|system|popen|strtok|alloca|tmpnam|mktemp|gethostbyname|signal'
status=0
while read -r file; do
  # The preprocessor drops the comments; strings are emptied.
  if gcc -fpreprocessed -dD -E "$file" 2>/dev/null | sed 's/"\([^"\\]\|\\.\)*"/""/g' |
    grep -E "(^|[^A-Za-z0-9_.>])($banned)[[:space:]]*\("; then
    echo "FAIL: $file"
    status=1
  fi
done < <(git ls-files '*.c' '*.h')
exit $status
