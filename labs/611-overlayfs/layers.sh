# Two folders seen as one: an image layer that nobody may write, and a layer on top that takes all changes.
mkdir low up work merged
echo "made with the image" > low/motd
echo "listen 80" > low/config
mkdir low/doc && echo "read me" > low/doc/readme

mount -t overlay overlay -o lowerdir=low,upperdir=up,workdir=work,userxattr merged

echo "== merged at first:"; ls merged
echo "listen 8080" > merged/config     # change a file of the image
rm merged/motd                         # delete one
echo "hello" > merged/new              # make one
echo "== merged now:"; ls merged
echo "== the image itself:"; ls low; cat low/config
echo "== the upper layer:"; ls -l up
