# Which kinds of network interfaces has this kernel? Each is made and removed, in a namespace of its own.
for kind in bridge dummy macvlan ipvlan vxlan; do
	if unshare -n sh -c "ip link set lo up; ip link add link lo name try type $kind" 2>/tmp/why; then
		echo "$kind: yes"
	else
		echo "$kind: $(head -n 1 /tmp/why)"
	fi
done
echo "== none: a new network namespace as it is"
unshare -n ip link | head -n 1
