#!/bin/bash
# Every string that a user can see has a zh-TW translation with the same conversions.
set -eu
command -v xgettext >/dev/null && command -v msgfmt >/dev/null || { echo "skip: gettext is not installed"; exit 77; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
find $(ls -d engine vmm emu containers tui 2>/dev/null) -name '*.[ch]' -o -name '*.def' | sort >"$dir/files"
xgettext --language=C --from-code=UTF-8 --no-location -o "$dir/keys.pot" -f "$dir/files" \
	--keyword=N_ --keyword=rs_tr:2 --keyword=rs_err_set:3 --keyword=rs_err_at:6 \
	--keyword=rs_err_errno:3 --keyword=rs_err_wrap:2 --keyword=CTR_FAIL:4 2>"$dir/warnings"
grep -q msgid "$dir/keys.pot"
bad=0
for po in assets/i18n/zh-TW/*.po; do
	# a part may come without the header that msgfmt wants
	{ printf 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\n'
	  awk 'BEGIN { RS = ""; ORS = "\n\n" } !/(^|\n)msgid ""\nmsgstr/' "$po"; } >"$dir/${po##*/}"
	msgfmt --check-format -o /dev/null "$dir/${po##*/}" || bad=1
done
msgcat --use-first "$dir"/*.po -o "$dir/all.po"
# what has no translation
msgmerge --quiet --no-fuzzy-matching -o "$dir/merged.po" "$dir/all.po" "$dir/keys.pot"
msgattrib --untranslated --no-obsolete "$dir/merged.po" -o "$dir/missing.po"
if grep -q '^msgid "..*' "$dir/missing.po" 2>/dev/null || grep -qA1 '^msgid ""$' <(sed 1,/^$/d "$dir/missing.po" 2>/dev/null); then
	echo "without a zh-TW translation:"
	sed 1,/^$/d "$dir/missing.po" | grep -v '^#\|^msgstr\|^$'
	bad=1
fi
exit $bad
