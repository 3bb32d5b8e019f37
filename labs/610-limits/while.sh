x=1
while [ $x -le 300000 ]
do
	x=$(( $x + 1 ))
done
