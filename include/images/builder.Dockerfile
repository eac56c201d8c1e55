# The worker that builds the releases' images: the Airflow image, and buildah, which needs no engine and no root.
ARG AIRFLOW=sluice-airflow
FROM ${AIRFLOW}
USER root
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends buildah uidmap libcap2-bin \
 # They get the one power that they need instead of root's, which are not there to be had.
 && chmod 0755 /usr/bin/newuidmap /usr/bin/newgidmap \
 && setcap cap_setuid=ep /usr/bin/newuidmap && setcap cap_setgid=ep /usr/bin/newgidmap \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/* \
 # Users of the images that it builds are none of the host's.
 && echo sluice:100000:65536 | tee /etc/subuid >/etc/subgid \
 && mkdir /sluice/images && chown sluice: /sluice/images
COPY include/images/storage.conf include/images/registries.conf /etc/containers/
# A step of a build runs in a folder, because what runs it is a container already; what did not change is not built again.
ENV BUILDAH_ISOLATION=chroot BUILDAH_LAYERS=true XDG_RUNTIME_DIR=/run/sluice TMPDIR=/tmp
USER sluice
