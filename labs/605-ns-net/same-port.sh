# Two networks in one machine.
ip link set lo up
echo "== interfaces and routes here:"
ip link | grep -o '^[0-9]*: [a-z0-9]*'
ip route
echo "== in a new network namespace:"
unshare -n sh -c 'ip link | grep -o "^[0-9]*: [a-z0-9]*: <[A-Z,]*>"; ip route'

# Twice the same port: here, and in another namespace.
nc -l -p 80 -e true & first=$!
sleep 0.3
unshare -n sh -c 'nc -l -p 80 -e true & sleep 0.3; kill -0 $! && echo "a second server on port 80, elsewhere: it listens"; kill $!' 2>/dev/null
nc -l -p 80 -e true 2>/tmp/why & sleep 0.3
kill -0 $! 2>/dev/null && echo "a second server on port 80, here: it listens"
cat /tmp/why
kill $first
