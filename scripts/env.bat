@echo off
rem Called by every numbered launcher: where things are. Makes the environment the first time.
for %%I in ("%~dp0..") do set "DFL_ROOT=%%~fI"
if not defined DFL_WORKSPACE set "DFL_WORKSPACE=%DFL_ROOT%\workspace"
if not defined DFL_PRETRAIN_FACES set "DFL_PRETRAIN_FACES=%DFL_ROOT%\pretrain_faces"
if not defined DFL_PRETRAIN_QUICK96 set "DFL_PRETRAIN_QUICK96=%DFL_ROOT%\pretrain_Quick96"
if not defined DFL_GENERIC_XSEG set "DFL_GENERIC_XSEG=%DFL_ROOT%\model_generic_xseg"
if not defined DFL_VENV set "DFL_VENV=%DFL_ROOT%\.venv"
if not defined TF_CPP_MIN_LOG_LEVEL set "TF_CPP_MIN_LOG_LEVEL=3"
call "%~dp0setup.bat"
if errorlevel 1 exit /b 1
set "DFL_PYTHON_EXE=%DFL_VENV%\Scripts\python.exe"
if exist "%DFL_ROOT%\.cpu_only" set "CUDA_VISIBLE_DEVICES=-1"
exit /b 0
