# Who is called what, outside and inside.
echo "outside: $(hostname)"
unshare -u sh -c 'echo "inside, before: $(hostname)"; hostname my-lab; echo "inside, after: $(hostname)"'
echo "outside, again: $(hostname)"
